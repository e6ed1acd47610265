# Workers on Fargate, or on EC2 (with or without a GPU), behind a network load balancer: one service for each zone, so that an encoder with two
# outputs reaches two of them.

data "aws_region" "this" {}

locals {
  workers = { for index, subnet in var.subnet_ids : tostring(index + 1) => subnet }
  # Port 1935 leads to the first worker, 1936 to the second, and so on: a backup URL is the same name with the next port. With a certificate
  # it is 443, which firewalls let through, 444, and so on, and nothing comes in unencrypted.
  protocol   = var.rtmps == null ? "TCP" : "TLS"
  first_port = var.rtmps == null ? 1935 : 443
  scheme     = var.rtmps == null ? "rtmp" : "rtmps"
  host       = var.rtmps == null ? aws_lb.this.dns_name : var.rtmps.domain
  # SRT: each stream has a port of its own, 9000 upwards, at the first worker; at the second it is 100 higher, and so on.
  srt_streams = var.srt == null ? [] : var.srt.streams
  srt_listeners = { for pair in setproduct(keys(local.workers), range(length(local.srt_streams))) : "${pair[0]} ${local.srt_streams[pair[1]]}" => {
    worker = pair[0], stream = local.srt_streams[pair[1]], inner = 9000 + pair[1], port = 9000 + pair[1] + 100 * (tonumber(pair[0]) - 1)
  } }
  on_ec2 = var.ec2 != null
  # Where workers are: on Fargate beside the load balancer, on EC2 where there is a NAT.
  homes     = { for index, subnet in var.subnet_ids : tostring(index + 1) => var.ec2 == null ? subnet : var.ec2.subnet_ids[index] }
  with_gpu  = try(var.ec2.gpus, 0) > 0
  listeners = { for worker in keys(local.workers) : worker => { port = local.first_port - 1 + tonumber(worker), protocol = local.protocol } }
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/tidegate/${var.name}/worker"
  retention_in_days = var.log_days
  tags              = var.tags
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

# What starts the task, and what the task may do, are two roles.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-worker-execution"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "execution" {
  role       = aws_iam_role.execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  count = var.srt == null ? 0 : 1

  statement {
    sid       = "ReadPassphrase"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.srt.passphrase_secret_arn]
  }
}

resource "aws_iam_role_policy" "secrets" {
  count  = var.srt == null ? 0 : 1
  name   = "passphrase"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.secrets[0].json
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-worker"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "WriteLive"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    resources = ["${var.bucket_arn}/live/*"]
  }

  # It adds up what edges have counted.
  statement {
    sid       = "AddUpViewers"
    actions   = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    resources = ["${var.bucket_arn}/analytics/*"]
  }

  # Sessions with their facts, the list of streams, and what happened: whoever adds up or publishes writes these down.
  statement {
    sid     = "TellSessions"
    actions = ["s3:PutObject"]

    resources = [
      for folder in ["session", "sessions", "index", "events", "reached"] : "${var.bucket_arn}/meta/${folder}/*"
    ]
  }

  statement {
    sid       = "ReadMeta"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/meta/*"]
  }

  # A directory bucket knows sessions and no prefixes.
  dynamic "statement" {
    for_each = var.express == null ? [] : [var.express.arn]

    content {
      sid       = "WriteExpress"
      actions   = ["s3express:CreateSession"]
      resources = [statement.value]
    }
  }

  # Without the right to list, S3 answers 403 for an object that is not there, where the worker has to see 404.
  statement {
    sid       = "TellMissing"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["live/*", "meta/*", "analytics/*"]
    }
  }
}

resource "aws_iam_role_policy" "task" {
  name   = "bucket"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.task.json
}

# Encoders reach the load balancer, and only it reaches workers: who may publish is asked where their addresses are still seen.
resource "aws_security_group" "balancer" {
  name        = "${var.name}-publish"
  description = "RTMP in, to the workers"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "publish" {
  for_each          = { for pair in setproduct(keys(local.listeners), var.publisher_cidrs) : "${pair[0]} ${pair[1]}" => { listener = local.listeners[pair[0]], cidr = pair[1] } }
  security_group_id = aws_security_group.balancer.id
  description       = "${each.value.listener.protocol == "TLS" ? "RTMPS" : "RTMP"} from encoders"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.listener.port
  to_port           = each.value.listener.port
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "workers" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "RTMP to the workers"
  referenced_security_group_id = aws_security_group.worker.id
  ip_protocol                  = "tcp"
  from_port                    = 1935
  to_port                      = 1935
  tags                         = var.tags
}

resource "aws_security_group" "worker" {
  name        = "${var.name}-worker"
  description = "RTMP in, S3 out"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "rtmp" {
  security_group_id            = aws_security_group.worker.id
  description                  = "RTMP from the load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 1935
  to_port                      = 1935
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "publish_srt" {
  for_each          = { for pair in setproduct(keys(local.srt_listeners), var.publisher_cidrs) : "${pair[0]} ${pair[1]}" => { listener = local.srt_listeners[pair[0]], cidr = pair[1] } }
  security_group_id = aws_security_group.balancer.id
  description       = "SRT from encoders"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "udp"
  from_port         = each.value.listener.port
  to_port           = each.value.listener.port
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "workers_srt" {
  count                        = length(local.srt_streams) > 0 ? 1 : 0
  security_group_id            = aws_security_group.balancer.id
  description                  = "SRT to the workers"
  referenced_security_group_id = aws_security_group.worker.id
  ip_protocol                  = "udp"
  from_port                    = 9000
  to_port                      = 9000 + length(local.srt_streams) - 1
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "srt" {
  count                        = length(local.srt_streams) > 0 ? 1 : 0
  security_group_id            = aws_security_group.worker.id
  description                  = "SRT from the load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "udp"
  from_port                    = 9000
  to_port                      = 9000 + length(local.srt_streams) - 1
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.worker.id
  description       = "S3, images and logs over TLS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_vpc_endpoint" "s3" {
  count             = length(var.route_table_ids) > 0 ? 1 : 0
  vpc_id            = var.vpc_id
  service_name      = "com.amazonaws.${data.aws_region.this.name}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.route_table_ids
  tags              = var.tags
}

resource "aws_lb" "this" {
  name                             = var.name
  load_balancer_type               = "network"
  internal                         = false
  subnets                          = var.subnet_ids
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = false
  tags                             = var.tags
}

resource "aws_lb_target_group" "worker" {
  for_each             = local.workers
  name                 = "${var.name}-${each.key}"
  port                 = 1935
  protocol             = "TCP"
  target_type          = "ip"
  vpc_id               = var.vpc_id
  deregistration_delay = 60
  tags                 = var.tags

  health_check {
    protocol            = "TCP"
    port                = "traffic-port"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "worker" {
  for_each          = local.listeners
  load_balancer_arn = aws_lb.this.arn
  port              = each.value.port
  protocol          = each.value.protocol
  certificate_arn   = one(var.rtmps[*].certificate_arn)
  ssl_policy        = var.rtmps == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.worker[each.key].arn
  }
}

resource "aws_lb_target_group" "srt" {
  for_each    = local.srt_listeners
  name        = "${var.name}-srt-${each.value.port}"
  port        = each.value.inner
  protocol    = "UDP"
  target_type = "ip"
  vpc_id      = var.vpc_id
  tags        = var.tags

  # Nothing can be asked over UDP: a worker that takes RTMP takes SRT.
  health_check {
    protocol            = "TCP"
    port                = "1935"
    interval            = 10
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "srt" {
  for_each          = local.srt_listeners
  load_balancer_arn = aws_lb.this.arn
  port              = each.value.port
  protocol          = "UDP"
  tags              = var.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.srt[each.key].arn
  }
}

resource "aws_ecs_task_definition" "worker" {
  family                   = "${var.name}-worker"
  requires_compatibilities = [local.on_ec2 ? "EC2" : "FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory_mib
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn
  tags                     = var.tags

  container_definitions = jsonencode([{
    name                   = "worker"
    image                  = var.image
    essential              = true
    readonlyRootFilesystem = true
    user                   = "65532:65532"
    # A drain hands the log over, or ends the session with ENDLIST.
    stopTimeout = 60
    portMappings = concat(
      [{ containerPort = 1935, protocol = "tcp" }],
      [for index in range(length(local.srt_streams)) : { containerPort = 9000 + index, protocol = "udp" }],
    )
    environment = concat(
      [
        { name = "AWS_REGION", value = data.aws_region.this.name },
        { name = "TIDEGATE_STORE_BUCKET", value = var.express == null ? var.bucket : var.express.bucket },
        { name = "TIDEGATE_TWIN_ENABLED", value = tostring(length(var.subnet_ids) > 1) },
      ],
      var.express == null ? [] : [{ name = "TIDEGATE_MIRROR_BUCKET", value = var.bucket }],
      length(local.srt_streams) == 0 ? [] : [
        { name = "TIDEGATE_SRT", value = join(",", [for index, stream in local.srt_streams : "${stream}=0.0.0.0:${9000 + index}"]) },
      ],
      # The driver's encoder comes into the container by these.
      local.with_gpu ? [{ name = "NVIDIA_DRIVER_CAPABILITIES", value = "video,utility" }] : [],
      [for name, value in var.environment : { name = name, value = value }],
    )
    secrets              = var.srt == null ? [] : [{ name = "TIDEGATE_SRT_PASSPHRASE", valueFrom = var.srt.passphrase_secret_arn }]
    resourceRequirements = local.with_gpu ? [{ type = "GPU", value = tostring(var.ec2.gpus) }] : []
    healthCheck = {
      command     = ["CMD", "/usr/local/bin/tidegate-ingest-worker", "--check"]
      interval    = 10
      retries     = 3
      startPeriod = 30
      timeout     = 5
    }
    # What waits for the store, of the 20 GiB that a task has.
    mountPoints     = [{ sourceVolume = "scratch", containerPath = "/tmp" }]
    linuxParameters = { initProcessEnabled = true }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = data.aws_region.this.name
        "awslogs-stream-prefix" = "worker"
      }
    }
  }])

  volume {
    name = "scratch"
  }
}

resource "aws_ecs_service" "worker" {
  for_each        = local.workers
  name            = "worker-${each.key}"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.worker.arn
  desired_count   = 1
  launch_type     = local.on_ec2 ? null : "FARGATE"
  propagate_tags  = "SERVICE"
  tags            = var.tags

  # The old worker goes first: two in one zone would be two publishers of one stream key.
  deployment_minimum_healthy_percent = 0
  deployment_maximum_percent         = 100

  dynamic "capacity_provider_strategy" {
    for_each = local.on_ec2 ? [aws_ecs_capacity_provider.worker[each.key].name] : []

    content {
      capacity_provider = capacity_provider_strategy.value
      weight            = 1
    }
  }

  network_configuration {
    subnets         = [local.homes[each.key]]
    security_groups = [aws_security_group.worker.id]
    # A task on EC2 cannot have a public address: it goes out by a NAT, and to S3 by the gateway endpoint.
    assign_public_ip = !local.on_ec2
  }

  load_balancer {
    target_group_arn = aws_lb_target_group.worker[each.key].arn
    container_name   = "worker"
    container_port   = 1935
  }

  dynamic "load_balancer" {
    for_each = { for name, listener in local.srt_listeners : name => listener if listener.worker == each.key }

    content {
      target_group_arn = aws_lb_target_group.srt[load_balancer.key].arn
      container_name   = "worker"
      container_port   = load_balancer.value.inner
    }
  }

  # A cluster takes services with those providers alone that it knows already.
  depends_on = [aws_lb_listener.worker, aws_lb_listener.srt, aws_ecs_cluster_capacity_providers.this]
}
