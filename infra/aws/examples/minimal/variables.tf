variable "name" {
  description = "Prefix of everything that is made."
  type        = string
  default     = "tidegate"
}

variable "region" {
  description = "Region of the bucket: where the worker is."
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
