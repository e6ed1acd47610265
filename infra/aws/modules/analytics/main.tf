# Lines of viewers' reports, for questions that the windows in the bucket do not answer: edges put them to Firehose as they came (events of
# CMCD v2 with time, stream and country beside them), which writes Parquet by the hour; Athena reads it where it lies. Partitions are computed
# from the query (projection), so that no crawler runs. Who sends lines needs `firehose:PutRecordBatch` on the stream and nothing else.

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_region" "this" {}

locals {
  prefix   = "analytics/raw"
  database = replace("${var.name}_analytics", "-", "_")
  # As tidegate-raw writes a row.
  columns = {
    at      = "timestamp"
    stream  = "string"
    edge    = "string"
    country = "string"
    network = "string"
    line    = "string"
  }

  # A player sends a report again until it is taken, so a line may lie here twice. What our player says of the time since its event before
  # (`com.tidegate-since`: time, played, stalled, stalls, whether it ran) is what is added up.
  events = <<-SQL
    SELECT stream, country, min(at) AS at,
           regexp_extract(line, '(?:^|,)sid="([^"]*)"', 1) AS session,
           regexp_extract(line, '(?:^|,)sn=([0-9]+)', 1) AS number,
           coalesce(try_cast(regexp_extract(line, 'com\.tidegate-since="[0-9]+ ([0-9]+)', 1) AS bigint), 0) AS played_ms,
           coalesce(try_cast(regexp_extract(line, 'com\.tidegate-since="[0-9]+ [0-9]+ ([0-9]+)', 1) AS bigint), 0) AS stalled_ms
    FROM reports
    WHERE hour >= date_format(now() - interval '%s' hour, '%%Y-%%m-%%d-%%H')
    GROUP BY stream, country, line
  SQL
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

  statement {
    # The columns of Parquet are those of the table.
    sid     = "ReadTable"
    actions = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]

    resources = [
      "arn:${data.aws_partition.this.partition}:glue:${data.aws_region.this.name}:${data.aws_caller_identity.this.account_id}:catalog",
      aws_glue_catalog_database.this.arn,
      aws_glue_catalog_table.reports.arn,
    ]
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
    # Parquet compresses by itself.
    compression_format = "UNCOMPRESSED"

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          open_x_json_ser_de {}
        }
      }

      output_format_configuration {
        serializer {
          parquet_ser_de {}
        }
      }

      schema_configuration {
        role_arn      = aws_iam_role.firehose.arn
        database_name = aws_glue_catalog_database.this.name
        table_name    = aws_glue_catalog_table.reports.name
      }
    }
  }

  depends_on = [aws_iam_role_policy.firehose]
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
    "classification"                = "parquet"
  }

  partition_keys {
    name = "hour"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.bucket}/${local.prefix}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
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
    WITH events AS (${format(local.events, "3")})
    SELECT stream, date_trunc('minute', at) AS minute, sum(least(played_ms, 90000)) / 60000.0 AS viewers
    FROM events GROUP BY 1, 2 ORDER BY 2, 1
  SQL
}

resource "aws_athena_named_query" "stalls" {
  name        = "stalls-by-country"
  description = "Share of the time that viewers waited, by country"
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this.name
  query       = <<-SQL
    WITH events AS (${format(local.events, "24")})
    SELECT stream, country, sum(stalled_ms) * 1.0 / nullif(sum(played_ms) + sum(stalled_ms), 0) AS stalled, count(DISTINCT session) AS sessions
    FROM events GROUP BY 1, 2 HAVING count(DISTINCT session) >= 5 ORDER BY 3 DESC
  SQL
}
