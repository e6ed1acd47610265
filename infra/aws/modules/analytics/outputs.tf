output "stream" {
  description = "Name of the Firehose stream that takes reports."
  value       = aws_kinesis_firehose_delivery_stream.reports.name
}

output "stream_arn" {
  description = "ARN of the Firehose stream, for the right to put records."
  value       = aws_kinesis_firehose_delivery_stream.reports.arn
}

output "workgroup" {
  description = "Athena's workgroup, with queries to begin with."
  value       = aws_athena_workgroup.this.name
}

output "table" {
  description = "What to select from."
  value       = "${aws_glue_catalog_database.this.name}.${aws_glue_catalog_table.reports.name}"
}
