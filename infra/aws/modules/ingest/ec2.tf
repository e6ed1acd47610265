# Machines of your own choice, for encoders that want more cores than Fargate has, or a GPU: one in each zone, for the worker of that zone.

data "aws_ssm_parameter" "image" {
  count = local.on_ec2 && try(var.ec2.image_id, null) == null ? 1 : 0
  name  = local.with_gpu ? "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id" : "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
}

data "aws_iam_policy_document" "assume_machine" {
  count = local.on_ec2 ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

# What the machine may do is join the cluster; the bucket is the task's.
resource "aws_iam_role" "machine" {
  count              = local.on_ec2 ? 1 : 0
  name               = "${var.name}-worker-machine"
  assume_role_policy = data.aws_iam_policy_document.assume_machine[0].json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "machine" {
  count      = local.on_ec2 ? 1 : 0
  role       = aws_iam_role.machine[0].name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
}

resource "aws_iam_instance_profile" "machine" {
  count = local.on_ec2 ? 1 : 0
  name  = "${var.name}-worker-machine"
  role  = aws_iam_role.machine[0].name
  tags  = var.tags
}

# The machine itself is reached by nobody: tasks have addresses of their own.
resource "aws_security_group" "machine" {
  count       = local.on_ec2 ? 1 : 0
  name        = "${var.name}-worker-machine"
  description = "Nothing in, TLS out"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_egress_rule" "machine" {
  count             = local.on_ec2 ? 1 : 0
  security_group_id = aws_security_group.machine[0].id
  description       = "Images, the cluster and logs over TLS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

resource "aws_launch_template" "machine" {
  count         = local.on_ec2 ? 1 : 0
  name          = "${var.name}-worker"
  image_id      = coalesce(var.ec2.image_id, one(data.aws_ssm_parameter.image[*].insecure_value))
  instance_type = var.ec2.instance_type
  user_data = base64encode(join("\n", compact([
    "#!/bin/sh",
    "echo ECS_CLUSTER=${aws_ecs_cluster.this.name} >> /etc/ecs/ecs.config",
    local.with_gpu ? "echo ECS_ENABLE_GPU_SUPPORT=true >> /etc/ecs/ecs.config" : "",
  ])))
  tags = var.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.machine[0].arn
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  network_interfaces {
    associate_public_ip_address = false
    security_groups             = [aws_security_group.machine[0].id]
  }

  # What waits for the store lies here, encrypted: a gigabyte a stream.
  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_size = var.ec2.disk_gb
      volume_type = "gp3"
      encrypted   = true
    }
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = "${var.name}-worker" })
  }
}

resource "aws_autoscaling_group" "machine" {
  for_each            = local.on_ec2 ? local.workers : {}
  name                = "${var.name}-worker-${each.key}"
  min_size            = 0
  max_size            = 2
  vpc_zone_identifier = [local.homes[each.key]]
  # A machine with a task that writes is not taken away.
  protect_from_scale_in = true

  launch_template {
    id      = aws_launch_template.machine[0].id
    version = aws_launch_template.machine[0].latest_version
  }

  dynamic "tag" {
    for_each = merge(var.tags, { AmazonECSManaged = "true" })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # How many there are is the cluster's affair.
  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

resource "aws_ecs_capacity_provider" "worker" {
  for_each = local.on_ec2 ? local.workers : {}
  name     = "${var.name}-worker-${each.key}"
  tags     = var.tags

  auto_scaling_group_provider {
    auto_scaling_group_arn         = aws_autoscaling_group.machine[each.key].arn
    managed_termination_protection = "ENABLED"

    managed_scaling {
      status                    = "ENABLED"
      target_capacity           = 100
      maximum_scaling_step_size = 1
    }
  }
}

resource "aws_ecs_cluster_capacity_providers" "this" {
  count              = local.on_ec2 ? 1 : 0
  cluster_name       = aws_ecs_cluster.this.name
  capacity_providers = [for provider in aws_ecs_capacity_provider.worker : provider.name]
}
