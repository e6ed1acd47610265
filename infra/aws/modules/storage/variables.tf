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

variable "express_zone_id" {
  description = "Id of an availability zone (as use1-az4) for a directory bucket of S3 Express One Zone, to which workers write and which edge hosts in that zone read; null for none. It is lost with its zone; the bucket of this module is its mirror."
  type        = string
  default     = null

  validation {
    condition     = var.express_zone_id == null || can(regex("^[a-z]+[0-9]-az[0-9]$", var.express_zone_id))
    error_message = "Name the zone by its id, as use1-az4, not by its name: names are shuffled between accounts."
  }
}

variable "express_days" {
  description = "Days after which what is left under live/ of the directory bucket expires."
  type        = number
  default     = 1
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
