variable "name" {
  description = "Prefix of everything that is made."
  type        = string
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the bucket."
  type        = string
}

variable "express" {
  description = "The directory bucket of S3 Express One Zone that workers write to (outputs `express_bucket` and `express_arn` of the module `storage`); `bucket` is then its mirror. Null: workers write to `bucket`."
  type        = object({ bucket = string, arn = string })
  default     = null
}

variable "vpc_id" {
  description = "The VPC."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, one in each availability zone. Two zones make two workers, each other's twin."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 1
    error_message = "Name at least one subnet."
  }
}

variable "route_table_ids" {
  description = "Route tables of the subnets: a gateway endpoint keeps the bytes to S3 off the internet, free of charge."
  type        = list(string)
  default     = []
}

variable "image" {
  description = "Image of the worker, by digest."
  type        = string
}

variable "cpu" {
  description = "CPU units of a worker (1024 is a core). One 1080p30 stream with three rungs takes about 820."
  type        = number
  default     = 2048
}

variable "memory_mib" {
  description = "Memory of a worker in MiB."
  type        = number
  default     = 4096
}

variable "rtmps" {
  description = "Lets encoders in over TLS alone (RTMPS): a certificate of this region, and the name it is for, which has to lead to the load balancer (output `balancer`)."
  type        = object({ certificate_arn = string, domain = string })
  default     = null
}

variable "srt" {
  description = "Lets encoders in over SRT (UDP) as well: the streams that come so, each on a port of its own from 9000 upwards, and the secret (Secrets Manager) that holds the passphrase of 10 to 79 characters."
  type        = object({ streams = list(string), passphrase_secret_arn = string })
  default     = null

  validation {
    # A service of ECS has at most five target groups, of which RTMP takes one.
    condition     = var.srt == null || try(length(var.srt.streams) >= 1 && length(var.srt.streams) <= 4, false)
    error_message = "Name one to four streams: a service of ECS has five target groups, and RTMP has one of them."
  }
}

variable "ec2" {
  description = "Runs the workers on EC2 in place of Fargate: the type of machine, how many of its GPUs a worker gets, its disk, an image (null: the newest that Amazon makes for ECS, of the kind with a driver where there are GPUs), and private subnets with a way out (NAT), one for each of `subnet_ids`: tasks on EC2 have no public address. `TIDEGATE_TRANSCODE_ENCODER = \"nvenc\"` in `environment` lets the GPU encode, with an ffmpeg in the image that can."
  type = object({
    instance_type = string
    gpus          = optional(number, 0)
    disk_gb       = optional(number, 40)
    image_id      = optional(string)
    subnet_ids    = list(string)
  })
  default = null

  validation {
    # In a public subnet a task on EC2 has no way out: it would wait for its image for ever.
    condition     = var.ec2 == null || try(length(var.ec2.subnet_ids) == length(var.subnet_ids), false)
    error_message = "Name a private subnet with a way out (NAT) in ec2.subnet_ids for each of subnet_ids."
  }
}

variable "environment" {
  description = "More settings of the worker, as TIDEGATE_TRANSCODE_PRESET."
  type        = map(string)
  default     = {}
}

variable "publisher_cidrs" {
  description = "Where encoders may connect from."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
