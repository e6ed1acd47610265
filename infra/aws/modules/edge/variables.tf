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

variable "bucket_domain" {
  description = "Regional domain name of the bucket."
  type        = string
}

variable "edge_domain" {
  description = "Domain name of edge hosts (ours, behind a load balancer with TLS) that answer blocking requests; null leaves playlists to the static ones in the bucket."
  type        = string
  default     = null
}

variable "function" {
  description = "The module `function`'s name and domain; null, or an edge_domain, leaves it out."
  type        = object({ name = string, domain = string })
  default     = null
}

variable "tokens" {
  description = <<-TEXT
    Checks playback tokens at the distribution, so that signed streams are shared by its caches: `keys` are the secrets of meta/playback-keys.json by
    their ids ("secret", or "secret issuer"), `own` is the token with which the edges are asked (`tidegate token mint --path /live/ --subject cdn
    --for 365d`), `audience` as in that document, `open` the streams that ask for no token. Everything else below /live/ then asks for one. Null leaves
    tokens to the edges, which keep answers to them out of caches. A token is called back by a key `revoked/<cti>` in the key value store.
    The secrets and `own` stand in Terraform's state: keep it encrypted, where few may read. Tokens that name countries do not open segment bundles
    here: what their behaviour is told has no country in it.
  TEXT
  type = object({
    keys     = map(string)
    own      = string
    audience = optional(string)
    open     = optional(list(string), [])
  })
  default   = null
  sensitive = true

  validation {
    condition     = var.tokens == null || try(length(var.tokens.keys) > 0, false)
    error_message = "Tokens need a key: tidegate token key."
  }
}

variable "shield_region" {
  description = "Region of the one place that asks the edges or the function: the bucket's, or the nearest that has origin shield."
  type        = string
  default     = "us-east-1"
}

variable "aliases" {
  description = "Names under which the distribution answers; needs a certificate."
  type        = list(string)
  default     = []
}

variable "certificate_arn" {
  description = "ARN of a certificate in us-east-1 for the aliases; null uses the name that CloudFront gives."
  type        = string
  default     = null

  validation {
    condition     = var.certificate_arn != null || length(var.aliases) == 0
    error_message = "Aliases need a certificate_arn."
  }
}

variable "price_class" {
  description = "Where the distribution has edges: PriceClass_100, PriceClass_200 or PriceClass_All."
  type        = string
  default     = "PriceClass_100"
}

variable "web_acl_arn" {
  description = "ARN of a WAF (scope CLOUDFRONT); null for none."
  type        = string
  default     = null
}

variable "log_bucket_domain" {
  description = "Domain name of a bucket for standard logs; null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
