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
