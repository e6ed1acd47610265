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

variable "package" {
  description = "The zip of the functions for Lambda, as infra/aws/package makes it; null leaves viewers the ordinary HLS in the bucket."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the package was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "playlists" {
  description = "What live playlists of the functions list: segments or parts."
  type        = string
  default     = "segments"
}

variable "analytics" {
  description = "Whether what viewers report can be asked for with SQL (Athena)."
  type        = bool
  default     = false
}
