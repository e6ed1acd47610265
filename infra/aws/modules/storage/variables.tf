variable "name" {
  description = "Name of the bucket; unique in all of AWS."
  type        = string
}

variable "force_destroy" {
  description = "Whether `destroy` may delete a bucket that still has objects. Off: nothing is deleted without being asked."
  type        = bool
  default     = false
}

variable "live_days" {
  description = "Days after which what is left under live/ expires. The worker deletes by the DVR window; this rule is the safety net behind it, and the retention of recordings."
  type        = number
  default     = 30

  validation {
    condition     = var.live_days >= 1
    error_message = "Lifecycle rules act in whole days: use 1 or more."
  }
}

variable "allowed_origins" {
  description = "Origins of pages that may read the bucket directly (CORS). Everything is public media, so any, unless pages are known."
  type        = list(string)
  default     = ["*"]
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
