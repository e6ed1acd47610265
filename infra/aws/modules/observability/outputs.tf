output "topic_arn" {
  description = "Topic of the alarms, for other subscribers."
  value       = aws_sns_topic.this.arn
}
