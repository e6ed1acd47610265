variable "name" {
  description = "Prefix of everything that is made."
  type        = string
}

variable "package" {
  description = "The zip with `bootstrap` in it, as infra/aws/package makes it."
  type        = string
}

variable "architecture" {
  description = "What the package was built for: arm64 (a fifth cheaper) or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "The architecture is arm64 or x86_64."
  }
}

variable "bucket" {
  description = "Name of the bucket."
  type        = string
}

variable "bucket_arn" {
  description = "ARN of the bucket."
  type        = string
}

variable "playlists" {
  description = "What live playlists list: segments, or parts (which viewers then ask for again and again; nothing is held)."
  type        = string
  default     = "segments"

  validation {
    condition     = contains(["segments", "parts"], var.playlists)
    error_message = "Playlists list segments or parts."
  }
}

variable "reports" {
  description = "The Firehose stream (name and ARN) that takes lines of viewers' reports beside their being counted; null sends none."
  type        = object({ stream = string, arn = string })
  default     = null
}

variable "memory_mb" {
  description = "Memory of the function; its share of a processor grows with it."
  type        = number
  default     = 256
}

variable "concurrency" {
  description = "Requests at one time, which is what a burst can cost at most; -1 takes what the account has."
  type        = number
  default     = -1
}

variable "log_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 14
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
