# The origin: one bucket, private, encrypted, without versions (expiry would leave delete markers and pay twice).

resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

# S3 Express One Zone, for writers and readers in one zone that want a record durable in single milliseconds: the log is there, and the bucket above is
# the worker's mirror, which has all of it in order and which the distribution reads.
resource "aws_s3_directory_bucket" "express" {
  count           = var.express_zone_id == null ? 0 : 1
  bucket          = "${var.name}--${var.express_zone_id}--x-s3"
  data_redundancy = "SingleAvailabilityZone"
  force_destroy   = var.force_destroy

  location {
    name = var.express_zone_id
    type = "AvailabilityZone"
  }
}

# What is left below live/ costs five times as much there: a day is for whoever looks for a fault.
resource "aws_s3_bucket_lifecycle_configuration" "express" {
  count  = var.express_zone_id == null ? 0 : 1
  bucket = aws_s3_directory_bucket.express[0].bucket

  rule {
    id     = "live"
    status = "Enabled"

    filter {
      prefix = "live/"
    }

    expiration {
      days = var.express_days
    }
  }

  rule {
    id     = "broken-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    # A key of KMS would cost a request for each of 13,500 objects an hour.
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "live"
    status = "Enabled"

    filter {
      prefix = "live/"
    }

    expiration {
      days = var.live_days
    }
  }

  # What edges counted, once it is added up; hours; days. Nothing in them tells who a viewer is.
  dynamic "rule" {
    for_each = { "analytics/minute/" = 3, "analytics/hour/" = 31, "analytics/day/" = 400 }

    content {
      id     = trim(replace(rule.key, "/", "-"), "-")
      status = "Enabled"

      filter {
        prefix = rule.key
      }

      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "broken-uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_cors_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  cors_rule {
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = var.allowed_origins
    allowed_headers = ["range", "if-none-match"]
    expose_headers  = ["etag", "content-range", "date"]
    max_age_seconds = 86400
  }
}
