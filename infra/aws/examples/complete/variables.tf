variable "name" {
  description = "Prefix of everything that is made."
  type        = string
  default     = "tidegate"
}

variable "region" {
  description = "Region of bucket and workers."
  type        = string
  default     = "us-east-1"
}

variable "bucket" {
  description = "Name of the bucket; unique in all of AWS."
  type        = string
}

variable "force_destroy" {
  description = "Whether `destroy` may delete recordings."
  type        = bool
  default     = false
}

variable "worker_image" {
  description = "Image of the worker (infra/containers/worker.Dockerfile), by digest."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.worker_image))
    error_message = "Name the image by digest: repository@sha256:…"
  }
}

variable "edge_domain" {
  description = "Domain name of your edge hosts, with TLS; null serves ordinary HLS from the bucket."
  type        = string
  default     = null
}

variable "aliases" {
  description = "Names under which viewers reach the distribution."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "Certificate in us-east-1 for the aliases."
  type        = string
  default     = null
}

variable "rtmps" {
  description = "Lets encoders in over TLS alone (RTMPS): a certificate of this region, and the name it is for, which has to lead to the load balancer (output `publish_cname`)."
  type        = object({ certificate_arn = string, domain = string })
  default     = null
}

variable "srt" {
  description = "Lets encoders in over SRT: the streams that come so, and the secret that holds their passphrase."
  type        = object({ streams = list(string), passphrase_secret_arn = string })
  default     = null
}

variable "ec2" {
  description = "Runs the workers on EC2, with a GPU where `gpus` says so, in place of Fargate; `subnet_ids` are private subnets with a NAT, one for each zone."
  type = object({
    instance_type = string
    gpus          = optional(number, 0)
    disk_gb       = optional(number, 40)
    image_id      = optional(string)
    subnet_ids    = list(string)
  })
  default = null
}

variable "express_zone_id" {
  description = "Id of an availability zone for the log in S3 Express One Zone, as use1-az4; null keeps it in the bucket."
  type        = string
  default     = null
}

variable "tokens" {
  description = "Checks playback tokens at the distribution, so that its caches share signed streams; see the module `edge`."
  type        = object({ keys = map(string), own = string, audience = optional(string), open = optional(list(string), []) })
  default     = null
  sensitive   = true
}

variable "waf" {
  description = "Whether a web ACL stands before the distribution (about 8 dollars a month, and 0.60 a million requests: of a viewer-hour of parts, 1.7 cents)."
  type        = bool
  default     = false
}

variable "publisher_cidrs" {
  description = "Where encoders may connect from."
  type        = list(string)
  default     = ["0.0.0.0/0"]
}

variable "email" {
  description = "Who is told of alarms."
  type        = string
  default     = null
}

variable "budget_usd" {
  description = "Dollars a month beyond which that person is told."
  type        = number
  default     = null
}
