variable "name" {
  description = "Prefix of everything that is made."
  type        = string
}

variable "distribution_id" {
  description = "Id of the distribution."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster of workers; null where they run elsewhere."
  type        = string
  default     = null
}

variable "services" {
  description = "Names of the services of workers."
  type        = list(string)
  default     = []
}

variable "email" {
  description = "Who is told; null for nobody."
  type        = string
  default     = null
}

variable "budget_usd" {
  description = "Dollars a month beyond which somebody is told; null for no budget."
  type        = number
  default     = null
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
