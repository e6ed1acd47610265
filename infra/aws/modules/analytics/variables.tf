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

variable "raw_days" {
  description = "Days that single reports are kept."
  type        = number
  default     = 30

  validation {
    condition     = var.raw_days >= 1
    error_message = "Lifecycle rules act in whole days: use 1 or more."
  }
}

variable "force_destroy" {
  description = "Whether `destroy` may delete results of queries and tables that are not empty."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
