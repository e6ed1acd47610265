# What has to hold, without an account: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "d111111abcdef8.cloudfront.net", arn = "arn:aws:cloudfront::123456789012:distribution/E1" }
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
