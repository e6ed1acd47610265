# Alarms that somebody should be woken for, a dashboard to look at then, and a budget.

data "aws_region" "this" {}

resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = "alias/aws/sns"
  tags              = var.tags
}

resource "aws_sns_topic_subscription" "email" {
  count     = var.email == null ? 0 : 1
  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.email
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "${var.name}-5xx"
  alarm_description   = "More than 1 % of viewers' requests fail. First look: do the edges answer /readyz, does the bucket answer?"
  namespace           = "AWS/CloudFront"
  metric_name         = "5xxErrorRate"
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 3
  threshold           = 1
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
  tags                = var.tags

  dimensions = {
    DistributionId = var.distribution_id
    Region         = "Global"
  }
}

resource "aws_cloudwatch_metric_alarm" "workers" {
  for_each            = var.cluster == null ? toset([]) : toset(var.services)
  alarm_name          = "${var.name}-${each.value}"
  alarm_description   = "A worker is gone. Its twin goes on by itself; a second failure would be seen."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  statistic           = "Minimum"
  period              = 60
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
  tags                = var.tags

  dimensions = {
    ClusterName = var.cluster
    ServiceName = each.value
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for index, metric in [
        { title = "Viewers' requests", name = "Requests", stat = "Sum" },
        { title = "Bytes to viewers", name = "BytesDownloaded", stat = "Sum" },
        { title = "Failed requests, %", name = "5xxErrorRate", stat = "Average" },
        { title = "Refused requests, %", name = "4xxErrorRate", stat = "Average" },
      ] :
      {
        type   = "metric"
        x      = 12 * (index % 2)
        y      = 6 * floor(index / 2)
        width  = 12
        height = 6
        properties = {
          title   = metric.title
          region  = "us-east-1"
          view    = "timeSeries"
          period  = 60
          stat    = metric.stat
          metrics = [["AWS/CloudFront", metric.name, "DistributionId", var.distribution_id, "Region", "Global"]]
        }
      }
    ]
  })
}

resource "aws_budgets_budget" "this" {
  count        = var.budget_usd == null || var.email == null ? 0 : 1
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    comparison_operator        = "GREATER_THAN"
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
    notification_type          = "FORECASTED"
    subscriber_email_addresses = [var.email]
  }
}
