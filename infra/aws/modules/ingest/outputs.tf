output "addresses" {
  description = "Where encoders push, one address for each worker: the first is the primary, the second the backup."
  value       = [for worker in sort(keys(local.listeners)) : "${local.scheme}://${local.host}:${local.listeners[worker].port}/live"]
}

output "srt_addresses" {
  description = "Where encoders call over SRT, by stream: primary, backup. They add the passphrase."
  value = { for stream in local.srt_streams : stream => [
    for worker in sort(keys(local.workers)) : "srt://${aws_lb.this.dns_name}:${local.srt_listeners["${worker} ${stream}"].port}"
  ] }
}

output "balancer" {
  description = "Name of the load balancer, for a CNAME of your own domain."
  value       = aws_lb.this.dns_name
}

output "cluster" {
  description = "Name of the cluster, for metrics."
  value       = aws_ecs_cluster.this.name
}

output "services" {
  description = "Names of the services, for metrics."
  value       = [for service in aws_ecs_service.worker : service.name]
}

output "task_role_arn" {
  description = "Role of the workers."
  value       = aws_iam_role.task.arn
}
