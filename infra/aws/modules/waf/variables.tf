variable "name" {
  description = "Prefix of everything that is made."
  type        = string
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes; more are answered 429. A viewer of parts of 0.5 s makes 2,400 (picture and sound, a playlist and a part each); an office behind one address has many viewers."
  type        = number
  default     = 100000

  validation {
    condition     = var.requests_per_5_minutes >= 5000
    error_message = "Two viewers behind one address already make 4,800 requests in five minutes: use 5,000 or more."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
