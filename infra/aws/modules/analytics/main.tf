# Single reports of viewers, for questions that the windows in the bucket do not answer: Firehose takes lines of JSON (the events of CMCD v2
# with stream and time beside them) and writes them by hour; Athena reads them where they lie. Partitions are computed from the query
# (projection), so that no crawler runs. Who sends lines needs `firehose:PutRecordBatch` on the stream and nothing else.

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

locals {
  prefix   = "analytics/raw"
  database = replace("${var.name}_analytics", "-", "_")
  columns = {
    time_ms  = "bigint"
    stream   = "string"
    sid      = "string"
    event    = "string"
    state    = "string"
    country  = "string"
    device   = "string"
    br       = "int"
    bl       = "int"
    ltc      = "int"
    msd      = "int"
    bsd      = "int"
    mtp      = "int"
    ec       = "string"
    watch_ms = "int"
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["firehose.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "WriteReports"
    actions   = ["s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${var.bucket_arn}/${local.prefix}/*", "${var.bucket_arn}/${local.prefix}-failed/*"]
  }

  statement {
    sid       = "FindBucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [var.bucket_arn]
  }
}

resource "aws_iam_role" "firehose" {
  name               = "${var.name}-reports"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "firehose" {
  name   = "reports"
  role   = aws_iam_role.firehose.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_kinesis_firehose_delivery_stream" "reports" {
  name        = "${var.name}-reports"
  destination = "extended_s3"
  tags        = var.tags

  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = var.bucket_arn
    prefix              = "${local.prefix}/hour=!{timestamp:yyyy-MM-dd-HH}/"
    error_output_prefix = "${local.prefix}-failed/!{firehose:error-output-type}/hour=!{timestamp:yyyy-MM-dd-HH}/"
    # Few large objects: a query pays for what it opens.
    buffering_size     = 64
    buffering_interval = 300
    compression_format = "GZIP"
  }
}

resource "aws_glue_catalog_database" "this" {
  name        = local.database
  description = "What viewers of ${var.name} report"
}

resource "aws_glue_catalog_table" "reports" {
  name          = "reports"
  database_name = aws_glue_catalog_database.this.name
  description   = "One line for each event that a player reported"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                        = "TRUE"
    "projection.enabled"            = "true"
    "projection.hour.type"          = "date"
    "projection.hour.format"        = "yyyy-MM-dd-HH"
    "projection.hour.interval"      = "1"
    "projection.hour.interval.unit" = "HOURS"
    "projection.hour.range"         = "NOW-${var.raw_days}DAYS,NOW"
    "storage.location.template"     = "s3://${var.bucket}/${local.prefix}/hour=$${hour}/"
    "classification"                = "json"
    "compressionType"               = "gzip"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.bucket}/${local.prefix}/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
      # A line that is broken is a row of nulls and not the end of the query.
      parameters = { "ignore.malformed.json" = "true" }
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name = columns.key
        type = columns.value
      }
    }
  }
}

# Results lie in a bucket of their own: the origin is for viewers.
resource "aws_s3_bucket" "results" {
  bucket        = "${var.bucket}-queries"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    id     = "results"
    status = "Enabled"

    filter {}

    expiration {
      days = 7
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name          = var.name
  description   = "Questions about what viewers of ${var.name} report"
  force_destroy = var.force_destroy
  tags          = var.tags

  configuration {
    enforce_workgroup_configuration = true
    # A dollar: a query without a stretch of time ends here and not on the bill.
    bytes_scanned_cutoff_per_query = 214748364800

    result_configuration {
      output_location = "s3://${aws_s3_bucket.results.bucket}/"

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

resource "aws_athena_named_query" "concurrent" {
  name        = "viewers-by-minute"
  description = "Viewers at one time: watched time over time"
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this.name
  query       = <<-SQL
    SELECT stream, date_trunc('minute', from_unixtime(time_ms / 1000)) AS minute, sum(watch_ms) / 60000.0 AS viewers
    FROM reports
    WHERE hour >= date_format(now() - interval '3' hour, '%Y-%m-%d-%H')
    GROUP BY 1, 2 ORDER BY 2, 1
  SQL
}

resource "aws_athena_named_query" "stalls" {
  name        = "stalls-by-country"
  description = "Share of the time that viewers waited, by country"
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this.name
  query       = <<-SQL
    SELECT stream, country, sum(bsd) * 1.0 / nullif(sum(watch_ms) + sum(bsd), 0) AS stalled, count(DISTINCT sid) AS plays
    FROM reports
    WHERE hour >= date_format(now() - interval '1' day, '%Y-%m-%d-%H')
    GROUP BY 1, 2 HAVING count(DISTINCT sid) >= 5 ORDER BY 3 DESC
  SQL
}
