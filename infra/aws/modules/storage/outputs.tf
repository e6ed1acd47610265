output "bucket" {
  description = "Name of the bucket."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "ARN of the bucket."
  value       = aws_s3_bucket.this.arn
}

output "express_bucket" {
  description = "Name of the directory bucket, or null. Hosts take https://<name>.s3express-<zone id>.<region>.amazonaws.com as their endpoint, and no bucket."
  value       = one(aws_s3_directory_bucket.express[*].bucket)
}

output "express_arn" {
  description = "ARN of the directory bucket, or null."
  value       = one(aws_s3_directory_bucket.express[*].arn)
}

output "domain" {
  description = "Regional domain name of the bucket, as the origin of a distribution."
  value       = aws_s3_bucket.this.bucket_regional_domain_name
}
