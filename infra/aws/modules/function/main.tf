# The functions on Lambda, behind a function URL that only the distribution may call. Playlists, documents and media are answered from the
# bucket; nothing is held, so nothing is paid for while viewers wait.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ReadMediaAndDocuments"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/live/*", "${var.bucket_arn}/meta/*", "${var.bucket_arn}/analytics/*"]
  }

  statement {
    sid       = "WriteDocuments"
    actions   = ["s3:PutObject", "s3:DeleteObject"]
    resources = ["${var.bucket_arn}/meta/*"]
  }

  statement {
    sid       = "WriteWhatViewersReport"
    actions   = ["s3:PutObject"]
    resources = [for folder in ["salt", "open", "minute"] : "${var.bucket_arn}/analytics/${folder}/*"]
  }

  dynamic "statement" {
    for_each = var.reports == null ? [] : [var.reports.arn]

    content {
      sid       = "SendLinesOfReports"
      actions   = ["firehose:PutRecordBatch"]
      resources = [statement.value]
    }
  }

  statement {
    # S3 says 403 in place of 404 to those who may not list.
    sid       = "SeeWhatIsMissing"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}-edge"
  retention_in_days = var.log_days
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name               = "${var.name}-edge"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "bucket-and-log"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

resource "aws_lambda_function" "this" {
  function_name                  = "${var.name}-edge"
  description                    = "Playlists, documents and media of Tidegate"
  role                           = aws_iam_role.this.arn
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  handler                        = "bootstrap"
  runtime                        = "provided.al2023"
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = 10
  reserved_concurrent_executions = var.concurrency
  tags                           = var.tags

  environment {
    variables = merge({
      TIDEGATE_STORE_BUCKET = var.bucket
      TIDEGATE_PLAYLISTS    = var.playlists
      # The function URL below streams: media crosses as bytes and not in base64.
      TIDEGATE_RESPONSE       = "stream"
      TIDEGATE_COUNTRY_HEADER = "cloudfront-viewer-country"
      TIDEGATE_ADDRESS_HEADER = "cloudfront-viewer-address"
      TIDEGATE_NETWORK_HEADER = "cloudfront-viewer-asn"
    }, var.reports == null ? {} : { TIDEGATE_RAW_FIREHOSE = var.reports.stream })
  }

  tracing_config {
    mode = "PassThrough"
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this]
}

resource "aws_lambda_function_url" "this" {
  function_name      = aws_lambda_function.this.function_name
  authorization_type = "AWS_IAM"
  invoke_mode        = "RESPONSE_STREAM"
}
