output "arn" {
  description = "ARN of the web ACL, as `web_acl_arn` of the module `edge`."
  value       = aws_wafv2_web_acl.this.arn
}
