# The least that streams: a bucket, a distribution and, where `package` names one, the functions on Lambda. A worker runs wherever you like;
# without the functions viewers get ordinary HLS straight from the bucket. No VPC, nothing that costs while nobody streams.

provider "aws" {
  region = var.region
}

module "storage" {
  source        = "../../modules/storage"
  name          = var.bucket
  force_destroy = var.force_destroy
  tags          = local.tags
}

module "edge" {
  source        = "../../modules/edge"
  name          = var.name
  bucket        = module.storage.bucket
  bucket_arn    = module.storage.arn
  bucket_domain = module.storage.domain
  function      = var.package == null ? null : { name = module.function[0].name, domain = module.function[0].domain }
  tags          = local.tags
}

module "function" {
  count        = var.package == null ? 0 : 1
  source       = "../../modules/function"
  name         = var.name
  package      = var.package
  architecture = var.architecture
  bucket       = module.storage.bucket
  bucket_arn   = module.storage.arn
  playlists    = var.playlists
  reports      = var.analytics ? { stream = module.analytics[0].stream, arn = module.analytics[0].stream_arn } : null
  tags         = local.tags
}

module "analytics" {
  count         = var.analytics ? 1 : 0
  source        = "../../modules/analytics"
  name          = var.name
  bucket        = module.storage.bucket
  bucket_arn    = module.storage.arn
  force_destroy = var.force_destroy
  tags          = local.tags
}

locals {
  tags = { project = "tidegate", stack = var.name }
}
