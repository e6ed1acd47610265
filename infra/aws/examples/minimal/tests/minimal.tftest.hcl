# What has to hold, without an account: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "d111111abcdef8.cloudfront.net", arn = "arn:aws:cloudfront::123456789012:distribution/E1" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:t" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }

  mock_resource "aws_lambda_function_url" {
    defaults = { function_url = "https://abc.lambda-url.us-east-1.on.aws/" }
  }

  mock_resource "aws_glue_catalog_database" {
    defaults = { arn = "arn:aws:glue:us-east-1:123456789012:database/t" }
  }

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:function/deny" }
  }
}

variables {
  bucket = "tidegate-test"
}

run "it_says_where_to_watch" {
  assert {
    condition     = output.watch == "https://d111111abcdef8.cloudfront.net/live/<stream>/index.m3u8"
    error_message = "the address to watch is ${output.watch}"
  }
}

run "the_bucket_is_private_and_kept" {
  module {
    source = "../../modules/storage"
  }

  variables {
    name = "tidegate-test"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "the bucket can be made public"
  }

  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "destroy deletes recordings without being asked"
  }

  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.filter[0].prefix if rule.id == "live"]) == "live/"
    error_message = "the safety net is not under live/"
  }
}

run "lifecycle_rules_act_in_whole_days" {
  command = plan

  module {
    source = "../../modules/storage"
  }

  variables {
    name      = "tidegate-test"
    live_days = 0
  }

  expect_failures = [var.live_days]
}

run "the_function_is_behind_the_distribution_alone" {
  variables {
    package = "main.tf" # Any file: nothing is uploaded.
  }

  assert {
    condition     = module.function[0].domain == "abc.lambda-url.us-east-1.on.aws"
    error_message = "the origin is ${module.function[0].domain}"
  }
}

run "the_function_streams_and_asks_who_calls" {
  module {
    source = "../../modules/function"
  }

  variables {
    name       = "t"
    package    = "main.tf"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
  }

  assert {
    condition     = aws_lambda_function_url.this.authorization_type == "AWS_IAM" && aws_lambda_function_url.this.invoke_mode == "RESPONSE_STREAM"
    error_message = "anybody may call the function, or it answers in base64"
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.TIDEGATE_RESPONSE == "stream" && aws_lambda_function.this.environment[0].variables.TIDEGATE_PLAYLISTS == "segments"
    error_message = "the function and its URL do not agree"
  }

  assert {
    condition     = aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.runtime == "provided.al2023"
    error_message = "the function runs as ${aws_lambda_function.this.runtime}"
  }
}

run "the_function_sends_lines_where_somebody_takes_them" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    name       = "t"
    package    = "main.tf"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    reports    = { stream = "t-reports", arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/t-reports" }
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables.TIDEGATE_RAW_FIREHOSE == "t-reports"
    error_message = "the function does not know where lines go"
  }
}

run "the_distribution_signs_what_it_asks_the_function" {
  module {
    source = "../../modules/edge"
  }

  variables {
    name          = "t"
    bucket        = "b"
    bucket_arn    = "arn:aws:s3:::b"
    bucket_domain = "b.s3.us-east-1.amazonaws.com"
    function      = { name = "t-edge", domain = "abc.lambda-url.us-east-1.on.aws" }
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].target_origin_id == "function"
    error_message = "playlists are asked of ${aws_cloudfront_distribution.this.default_cache_behavior[0].target_origin_id}"
  }

  assert {
    condition     = aws_cloudfront_origin_access_control.function[0].origin_access_control_origin_type == "lambda" && aws_lambda_permission.url[0].function_url_auth_type == "AWS_IAM"
    error_message = "the function can be called past the distribution"
  }
}

run "a_playlist_of_another_kind_is_refused" {
  command = plan

  module {
    source = "../../modules/function"
  }

  variables {
    name       = "t"
    package    = "main.tf"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    playlists  = "blocking"
  }

  expect_failures = [var.playlists]
}

run "reports_are_read_by_the_hour_and_a_query_has_a_price" {
  module {
    source = "../../modules/analytics"
  }

  variables {
    name       = "live-events"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
  }

  assert {
    condition     = output.table == "live_events_analytics.reports"
    error_message = "the table is ${output.table}"
  }

  assert {
    condition     = join(" ", aws_glue_catalog_table.reports.storage_descriptor[0].columns[*].name) == "at country edge line network stream"
    error_message = "the columns are not those of a row that edges send"
  }

  assert {
    condition     = aws_kinesis_firehose_delivery_stream.reports.extended_s3_configuration[0].data_format_conversion_configuration[0].schema_configuration[0].table_name == "reports"
    error_message = "reports are not written as Parquet"
  }

  assert {
    condition     = aws_glue_catalog_table.reports.parameters["storage.location.template"] == "s3://b/analytics/raw/hour=$${hour}/" && strcontains(aws_kinesis_firehose_delivery_stream.reports.extended_s3_configuration[0].prefix, "analytics/raw/hour=!{timestamp:yyyy-MM-dd-HH}/")
    error_message = "the table does not look where the reports lie"
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query > 0 && aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
    error_message = "a query may cost anything"
  }
}
