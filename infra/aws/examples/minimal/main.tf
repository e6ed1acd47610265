# The least that streams: a bucket and a distribution. A worker runs wherever you like, with the user that is made here; viewers get
# ordinary HLS straight from the bucket. No VPC, nothing that costs while nobody streams.

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
  tags          = local.tags
}

locals {
  tags = { project = "tidegate", stack = var.name }
}
