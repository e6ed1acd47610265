output "name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

output "domain" {
  description = "Domain name of the function URL, as the origin of a distribution."
  value       = trimsuffix(trimprefix(aws_lambda_function_url.this.function_url, "https://"), "/")
}

output "role" {
  description = "Name of the role of the function."
  value       = aws_iam_role.this.name
}
