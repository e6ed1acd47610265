# Distribution: static playlists and their segments come from the bucket; everything else from edge hosts (with blocking reload) or from the
# function on Lambda (without), where there is one.

data "aws_caller_identity" "this" {}

locals {
  has_edge     = var.edge_domain != null
  has_function = !local.has_edge && var.function != null
  # The variable is a secret; whether it is given is none.
  has_tokens = nonsensitive(var.tokens != null)
  # What the default behaviour asks.
  origin = local.has_edge ? "edge" : local.has_function ? "function" : "bucket"
}

resource "aws_cloudfront_origin_access_control" "bucket" {
  name                              = "${var.name}-bucket"
  description                       = "Only this distribution reads the bucket"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_origin_access_control" "function" {
  count                             = local.has_function ? 1 : 0
  name                              = "${var.name}-function"
  description                       = "Only this distribution calls the function"
  origin_access_control_origin_type = "lambda"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_lambda_permission" "url" {
  count                  = local.has_function ? 1 : 0
  statement_id           = "DistributionCallsUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = var.function.name
  function_url_auth_type = "AWS_IAM"
  principal              = "cloudfront.amazonaws.com"
  source_arn             = aws_cloudfront_distribution.this.arn
}

# A call of a function URL needs this right too, in accounts that are newer than October 2025.
resource "aws_lambda_permission" "function" {
  count         = local.has_function ? 1 : 0
  statement_id  = "DistributionCallsFunction"
  action        = "lambda:InvokeFunction"
  function_name = var.function.name
  principal     = "cloudfront.amazonaws.com"
  source_arn    = aws_cloudfront_distribution.this.arn
}

# Where a viewer is goes along and is not in the key of the cache: answers that depend on it are `private`.
resource "aws_cloudfront_origin_request_policy" "viewer" {
  name    = "${var.name}-viewer"
  comment = "Where the viewer is and with what, and tokens in headers"

  cookies_config {
    cookie_behavior = "whitelist"

    cookies {
      items = ["cta-common-access-token"]
    }
  }

  headers_config {
    header_behavior = "whitelist"

    headers {
      items = ["CloudFront-Viewer-Address", "CloudFront-Viewer-ASN", "CloudFront-Viewer-Country", "CTA-Common-Access-Token", "User-Agent"]
    }
  }

  query_strings_config {
    query_string_behavior = "all"
  }
}

# What the origin says about caching holds: blocking answers for 6 target durations, media for a year, errors not at all.
resource "aws_cloudfront_cache_policy" "live" {
  name        = "${var.name}-live"
  comment     = "As the origin says; the directives of LL-HLS are part of the key"
  min_ttl     = 0
  default_ttl = 1
  max_ttl     = 31536000

  parameters_in_cache_key_and_forwarded_to_origin {
    enable_accept_encoding_gzip   = true
    enable_accept_encoding_brotli = true

    cookies_config {
      cookie_behavior = "none"
    }

    headers_config {
      header_behavior = "none"
    }

    query_strings_config {
      query_string_behavior = "whitelist"

      query_strings {
        items = ["_HLS_msn", "_HLS_part", "_HLS_skip", "start", "end"]
      }
    }
  }
}

resource "aws_cloudfront_response_headers_policy" "open" {
  name    = "${var.name}-open"
  comment = "Players are scripts of other sites"

  cors_config {
    access_control_allow_credentials = false
    origin_override                  = true
    access_control_max_age_sec       = 86400

    access_control_allow_headers {
      items = ["*"]
    }

    access_control_allow_methods {
      items = ["GET", "HEAD", "OPTIONS"]
    }

    access_control_allow_origins {
      items = ["*"]
    }

    access_control_expose_headers {
      items = ["Age", "Content-Length", "Content-Range", "Date", "ETag", "Server-Timing"]
    }
  }

  security_headers_config {
    content_type_options {
      override = true
    }

    strict_transport_security {
      access_control_max_age_sec = 31536000
      include_subdomains         = false
      override                   = true
    }
  }
}

resource "aws_cloudfront_distribution" "this" {
  comment         = "${var.name}: live streams"
  enabled         = true
  is_ipv6_enabled = true
  http_version    = "http2and3"
  price_class     = var.price_class
  aliases         = var.aliases
  web_acl_id      = var.web_acl_arn
  tags            = var.tags

  origin {
    origin_id                = "bucket"
    domain_name              = var.bucket_domain
    origin_access_control_id = aws_cloudfront_origin_access_control.bucket.id
  }

  dynamic "origin" {
    for_each = local.has_edge ? [var.edge_domain] : []

    content {
      origin_id   = "edge"
      domain_name = origin.value

      custom_origin_config {
        http_port              = 80
        https_port             = 443
        origin_protocol_policy = "https-only"
        origin_ssl_protocols   = ["TLSv1.2"]
        # A blocking reload is answered within 3 target durations, at most 40 s.
        origin_read_timeout      = 45
        origin_keepalive_timeout = 60
      }

      # One place asks the edges, so that identical blocking requests of all locations collapse into one.
      origin_shield {
        enabled              = true
        origin_shield_region = var.shield_region
      }
    }
  }

  dynamic "origin" {
    for_each = local.has_function ? [var.function.domain] : []

    content {
      origin_id                = "function"
      domain_name              = origin.value
      origin_access_control_id = aws_cloudfront_origin_access_control.function[0].id

      custom_origin_config {
        http_port              = 80
        https_port             = 443
        origin_protocol_policy = "https-only"
        origin_ssl_protocols   = ["TLSv1.2"]
        origin_read_timeout    = 10
      }

      # One place calls the function, so that equal requests of all locations are one call.
      origin_shield {
        enabled              = true
        origin_shield_region = var.shield_region
      }
    }
  }

  default_cache_behavior {
    target_origin_id           = local.origin
    origin_request_policy_id   = local.origin == "bucket" ? null : aws_cloudfront_origin_request_policy.viewer.id
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = aws_cloudfront_cache_policy.live.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.open.id

    dynamic "function_association" {
      for_each = aws_cloudfront_function.token[*].arn

      content {
        event_type   = "viewer-request"
        function_arn = function_association.value
      }
    }
  }

  # Segment bundles of static playlists are in the bucket under their own address, edges or not.
  ordered_cache_behavior {
    path_pattern               = "live/*/seg/*.mp4"
    target_origin_id           = "bucket"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD", "OPTIONS"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = false
    cache_policy_id            = aws_cloudfront_cache_policy.live.id
    response_headers_policy_id = aws_cloudfront_response_headers_policy.open.id

    # The bundles are the streams: whoever may not watch gets none of them.
    dynamic "function_association" {
      for_each = aws_cloudfront_function.token[*].arn

      content {
        event_type   = "viewer-request"
        function_arn = function_association.value
      }
    }
  }

  # Nobody reads documents, keys and tokens through a CDN, nor figures of viewers: the API shows what may be shown.
  dynamic "ordered_cache_behavior" {
    for_each = ["meta/*", "analytics/*"]

    content {
      path_pattern           = ordered_cache_behavior.value
      target_origin_id       = "bucket"
      viewer_protocol_policy = "https-only"
      allowed_methods        = ["GET", "HEAD"]
      cached_methods         = ["GET", "HEAD"]
      compress               = false
      cache_policy_id        = aws_cloudfront_cache_policy.live.id

      function_association {
        event_type   = "viewer-request"
        function_arn = aws_cloudfront_function.deny.arn
      }
    }
  }

  # An error of a moment is kept for a moment.
  dynamic "custom_error_response" {
    for_each = [403, 404, 500, 502, 503, 504]

    content {
      error_code            = custom_error_response.value
      error_caching_min_ttl = 1
    }
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = var.certificate_arn == null
    acm_certificate_arn            = var.certificate_arn
    ssl_support_method             = var.certificate_arn == null ? null : "sni-only"
    minimum_protocol_version       = var.certificate_arn == null ? "TLSv1" : "TLSv1.2_2021"
  }

  dynamic "logging_config" {
    for_each = var.log_bucket_domain == null ? [] : [var.log_bucket_domain]

    content {
      bucket          = logging_config.value
      prefix          = "${var.name}/"
      include_cookies = false
    }
  }
}

resource "aws_cloudfront_function" "deny" {
  name    = "${var.name}-deny"
  runtime = "cloudfront-js-2.0"
  comment = "Nothing below this path is for viewers"
  publish = true
  code    = file("${path.module}/deny.js")
}

# --- tokens that are checked here, so that what they open is shared -------------------------------------------------------------------

resource "aws_cloudfront_key_value_store" "tokens" {
  count   = local.has_tokens ? 1 : 0
  name    = "${var.name}-tokens"
  comment = "Keys of playback tokens, and what is open or revoked"
}

locals {
  # Names are no secrets, and a resource has to be called something.
  token_names = !local.has_tokens ? [] : concat(
    ["token"],
    nonsensitive(var.tokens.audience == null) ? [] : ["audience"],
    [for kid in nonsensitive(keys(var.tokens.keys)) : "key/${kid}"],
    [for stream in nonsensitive(var.tokens.open) : "open/${stream}"],
  )
  token_values = !local.has_tokens ? {} : merge(
    { token = var.tokens.own, audience = var.tokens.audience },
    { for kid, secret in var.tokens.keys : "key/${kid}" => secret },
    { for stream in var.tokens.open : "open/${stream}" => "1" },
  )
}

resource "aws_cloudfrontkeyvaluestore_key" "tokens" {
  for_each            = toset(local.token_names)
  key_value_store_arn = aws_cloudfront_key_value_store.tokens[0].arn
  key                 = each.value
  value               = local.token_values[each.value]
}

resource "aws_cloudfront_function" "token" {
  count                        = local.has_tokens ? 1 : 0
  name                         = "${var.name}-token"
  runtime                      = "cloudfront-js-2.0"
  comment                      = "Opens what asks for a token, and takes the token out of the address"
  publish                      = true
  key_value_store_associations = [aws_cloudfront_key_value_store.tokens[0].arn]
  # 10 kB are allowed: comments and the space before a line are for people.
  code = replace(file("${path.module}/token.js"), "/\\n\\s*(//[^\\n]*)?/", "\n")
}

# The distribution reads media; nothing else of the bucket, and nobody else.
data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "DistributionReadsLive"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/live/*"]

    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceArn"
      values   = [aws_cloudfront_distribution.this.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "AWS:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [var.bucket_arn, "${var.bucket_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = var.bucket
  policy = data.aws_iam_policy_document.bucket.json
}
