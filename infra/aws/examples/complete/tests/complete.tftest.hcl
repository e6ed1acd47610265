# What has to hold, without an account: the provider is a mock.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }

  mock_data "aws_region" {
    defaults = { name = "us-east-1" }
  }

  mock_resource "aws_cloudfront_distribution" {
    defaults = { domain_name = "d111111abcdef8.cloudfront.net", arn = "arn:aws:cloudfront::123456789012:distribution/E1" }
  }

  mock_resource "aws_cloudfront_function" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:function/deny" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/test" }
  }

  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/t/1", dns_name = "t.elb.us-east-1.amazonaws.com" }
  }

  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/t/1" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/t:1" }
  }

  mock_resource "aws_s3_directory_bucket" {
    defaults = { arn = "arn:aws:s3express:us-east-1:123456789012:bucket/t" }
  }

  mock_resource "aws_cloudfront_key_value_store" {
    defaults = { arn = "arn:aws:cloudfront::123456789012:key-value-store/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/t/1" }
  }

  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0" }
  }

  mock_resource "aws_autoscaling_group" {
    defaults = { arn = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/t" }
  }

  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/t" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:t" }
  }
}

mock_provider "aws" {
  alias = "us_east_1"

  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/t/1" }
  }
}

variables {
  bucket       = "tidegate-test"
  worker_image = "registry.example.com/worker@sha256:0000000000000000000000000000000000000000000000000000000000000000"
}

run "two_zones_make_a_primary_and_a_backup" {
  assert {
    condition     = output.publish == ["rtmp://t.elb.us-east-1.amazonaws.com:1935/live", "rtmp://t.elb.us-east-1.amazonaws.com:1936/live"]
    error_message = "encoders are sent to ${join(", ", output.publish)}"
  }
}

run "with_a_certificate_encoders_come_over_tls_alone" {
  variables {
    rtmps = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1", domain = "publish.example.com" }
  }

  assert {
    condition     = output.publish == ["rtmps://publish.example.com:443/live", "rtmps://publish.example.com:444/live"]
    error_message = "encoders are sent to ${join(", ", output.publish)}"
  }
}

run "who_may_publish_is_asked_at_the_load_balancer" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name            = "t"
    bucket          = "b"
    bucket_arn      = "arn:aws:s3:::b"
    vpc_id          = "vpc-1"
    subnet_ids      = ["subnet-1", "subnet-2"]
    image           = "registry.example.com/worker@sha256:00"
    publisher_cidrs = ["192.0.2.0/24"]
    rtmps           = { certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1", domain = "publish.example.com" }
  }

  assert {
    condition     = [for rule in aws_vpc_security_group_ingress_rule.publish : rule.from_port] == [443, 444] && alltrue([for rule in aws_vpc_security_group_ingress_rule.publish : rule.cidr_ipv4 == "192.0.2.0/24"])
    error_message = "encoders from elsewhere come in, or those of publisher_cidrs do not"
  }

  assert {
    condition     = alltrue([for listener in aws_lb_listener.worker : listener.protocol == "TLS" && listener.certificate_arn != null])
    error_message = "a listener takes what is not encrypted"
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.rtmp.cidr_ipv4 == null
    error_message = "workers are reached past the load balancer"
  }
}

run "workers_run_without_root_on_a_read_only_disk" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
  }

  assert {
    condition     = one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).readonlyRootFilesystem && one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).user == "65532:65532"
    error_message = "the worker has more rights than it needs"
  }

  assert {
    condition     = aws_iam_role.task.name != aws_iam_role.execution.name
    error_message = "what starts a task and what a task may do are one role"
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : service.deployment_maximum_percent == 100])
    error_message = "a deployment would start a second publisher beside the first"
  }
}

run "an_image_without_a_digest_is_refused" {
  command = plan

  variables {
    worker_image = "registry.example.com/worker:latest"
  }

  expect_failures = [var.worker_image]
}

run "aliases_need_a_certificate" {
  command = plan

  module {
    source = "../../modules/edge"
  }

  variables {
    name          = "t"
    bucket        = "b"
    bucket_arn    = "arn:aws:s3:::b"
    bucket_domain = "b.s3.us-east-1.amazonaws.com"
    aliases       = ["live.example.com"]
  }

  expect_failures = [var.certificate_arn]
}

run "srt_has_a_port_for_each_stream_and_worker" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
    srt        = { streams = ["sport", "news"], passphrase_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:srt" }
  }

  assert {
    condition     = output.srt_addresses.news == ["srt://t.elb.us-east-1.amazonaws.com:9001", "srt://t.elb.us-east-1.amazonaws.com:9101"]
    error_message = "encoders are sent to ${join(", ", output.srt_addresses.news)}"
  }

  assert {
    condition     = sort([for rule in aws_vpc_security_group_ingress_rule.publish_srt : "${rule.ip_protocol} ${rule.from_port}"]) == tolist(["udp 9000", "udp 9001", "udp 9100", "udp 9101"]) && alltrue([for listener in aws_lb_listener.srt : listener.protocol == "UDP"])
    error_message = "the load balancer lets other things in"
  }

  assert {
    condition = one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).secrets[0].name == "TIDEGATE_SRT_PASSPHRASE" && contains(
    [for one in one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).environment : one.value], "sport=0.0.0.0:9000,news=0.0.0.0:9001")
    error_message = "the worker is not told of its ports, or has the passphrase in the clear"
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : length(service.load_balancer) == 3])
    error_message = "a service is not behind all of its ports"
  }
}

run "more_srt_streams_than_a_service_has_target_groups_are_refused" {
  command = plan

  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1"]
    image      = "registry.example.com/worker@sha256:00"
    srt        = { streams = ["a", "b", "c", "d", "e"], passphrase_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:srt" }
  }

  expect_failures = [var.srt]
}

run "workers_run_on_machines_with_a_gpu_where_asked" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
    ec2        = { instance_type = "g4dn.xlarge", gpus = 1, subnet_ids = ["private-1", "private-2"] }
  }

  assert {
    condition     = tolist(aws_ecs_task_definition.worker.requires_compatibilities) == tolist(["EC2"]) && one(one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).resourceRequirements).value == "1"
    error_message = "the task has no GPU"
  }

  assert {
    condition     = [for worker in ["1", "2"] : tolist(aws_autoscaling_group.machine[worker].vpc_zone_identifier)] == [tolist(["private-1"]), tolist(["private-2"])] && alltrue([for worker in ["1", "2"] : contains([for one in aws_ecs_service.worker[worker].capacity_provider_strategy : one.capacity_provider], "t-worker-${worker}")])
    error_message = "there is not one machine in each zone for the worker of that zone"
  }

  assert {
    condition     = strcontains(data.aws_ssm_parameter.image[0].name, "/gpu/") && aws_launch_template.machine[0].metadata_options[0].http_tokens == "required" && one(aws_launch_template.machine[0].block_device_mappings[0].ebs).encrypted == "true"
    error_message = "the machine has no driver, hands its keys to whoever asks, or writes in the clear"
  }
}

run "machines_without_a_private_subnet_each_are_refused" {
  command = plan

  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
    ec2        = { instance_type = "g4dn.xlarge", subnet_ids = ["private-1"] }
  }

  expect_failures = [var.ec2]
}

run "without_a_word_workers_run_on_fargate" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
  }

  assert {
    condition     = alltrue([for service in aws_ecs_service.worker : service.launch_type == "FARGATE"]) && length(aws_autoscaling_group.machine) == 0 && length(aws_lb_listener.srt) == 0
    error_message = "something else is made"
  }
}

run "tokens_are_checked_before_the_cache_and_are_not_in_its_key" {
  module {
    source = "../../modules/edge"
  }

  variables {
    name          = "t"
    bucket        = "b"
    bucket_arn    = "arn:aws:s3:::b"
    bucket_domain = "b.s3.us-east-1.amazonaws.com"
    edge_domain   = "edge.example.com"
    tokens        = { keys = { k1 = "c2VjcmV0" }, own = "token", open = ["lobby"] }
  }

  assert {
    condition     = aws_cloudfront_distribution.this.default_cache_behavior[0].function_association != [] && length(aws_cloudfront_function.token[0].code) < 10240
    error_message = "nobody checks tokens, or the function is larger than CloudFront takes"
  }

  assert {
    condition     = alltrue([for behavior in aws_cloudfront_distribution.this.ordered_cache_behavior : length(behavior.function_association) == 1])
    error_message = "a path leads past the check"
  }

  assert {
    condition     = sort([for key in aws_cloudfrontkeyvaluestore_key.tokens : key.key]) == tolist(["key/k1", "open/lobby", "token"])
    error_message = "the function does not find what it looks for"
  }

  assert {
    condition     = aws_cloudfront_cache_policy.live.parameters_in_cache_key_and_forwarded_to_origin[0].headers_config[0].header_behavior == "none"
    error_message = "each token has a cache of its own"
  }
}

run "tokens_without_a_key_are_refused" {
  command = plan

  module {
    source = "../../modules/edge"
  }

  variables {
    name          = "t"
    bucket        = "b"
    bucket_arn    = "arn:aws:s3:::b"
    bucket_domain = "b.s3.us-east-1.amazonaws.com"
    tokens        = { keys = {}, own = "token" }
  }

  expect_failures = [var.tokens]
}

run "a_web_acl_stands_before_the_distribution_where_asked" {
  variables {
    waf = true
  }

  assert {
    condition     = length(module.waf) == 1
    error_message = "there is no web ACL"
  }
}

run "the_log_is_in_one_zone_where_asked_and_the_bucket_is_its_mirror" {
  variables {
    express_zone_id = "use1-az4"
  }

  assert {
    condition     = module.storage.express_bucket == "tidegate-test--use1-az4--x-s3"
    error_message = "the directory bucket is called ${module.storage.express_bucket}"
  }
}

run "workers_write_to_the_directory_bucket_and_copy_to_the_other" {
  module {
    source = "../../modules/ingest"
  }

  variables {
    name       = "t"
    bucket     = "b"
    bucket_arn = "arn:aws:s3:::b"
    express    = { bucket = "b--use1-az4--x-s3", arn = "arn:aws:s3express:us-east-1:123456789012:bucket/b--use1-az4--x-s3" }
    vpc_id     = "vpc-1"
    subnet_ids = ["subnet-1", "subnet-2"]
    image      = "registry.example.com/worker@sha256:00"
  }

  assert {
    condition = { for one in one(jsondecode(aws_ecs_task_definition.worker.container_definitions)).environment : one.name => one.value if startswith(one.name, "TIDEGATE_STORE") || startswith(one.name, "TIDEGATE_MIRROR") } == {
      TIDEGATE_STORE_BUCKET  = "b--use1-az4--x-s3"
      TIDEGATE_MIRROR_BUCKET = "b"
    }
    error_message = "the worker writes elsewhere"
  }
}

run "a_zone_by_its_name_is_refused" {
  command = plan

  module {
    source = "../../modules/storage"
  }

  variables {
    name            = "b"
    express_zone_id = "us-east-1a"
  }

  expect_failures = [var.express_zone_id]
}
