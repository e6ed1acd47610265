# Two workers in two zones, each other's twin; the bucket; the distribution in front of your edge hosts; alarms and a budget.

provider "aws" {
  region = var.region
}

# Web ACLs of distributions are made here and nowhere else.
provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

data "aws_availability_zones" "this" {
  state = "available"

  # Neither local zones nor wavelength zones, which have no Fargate.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  tags  = { project = "tidegate", stack = var.name }
  zones = slice(data.aws_availability_zones.this.names, 0, 2)
}

module "storage" {
  source          = "../../modules/storage"
  name            = var.bucket
  force_destroy   = var.force_destroy
  express_zone_id = var.express_zone_id
  tags            = local.tags
}

module "edge" {
  source          = "../../modules/edge"
  name            = var.name
  bucket          = module.storage.bucket
  bucket_arn      = module.storage.arn
  bucket_domain   = module.storage.domain
  edge_domain     = var.edge_domain
  aliases         = var.aliases
  certificate_arn = var.certificate_arn
  web_acl_arn     = one(module.waf[*].arn)
  tokens          = var.tokens
  tags            = local.tags
}

module "waf" {
  count  = var.waf ? 1 : 0
  source = "../../modules/waf"
  name   = var.name
  tags   = local.tags

  providers = {
    aws = aws.us_east_1
  }
}

resource "aws_vpc" "this" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = merge(local.tags, { Name = var.name })
}

# Nothing uses the default group, so it lets nothing through.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = local.tags
}

resource "aws_subnet" "public" {
  for_each          = { for index, zone in local.zones : zone => index }
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 8, each.value)
  tags              = merge(local.tags, { Name = "${var.name}-${each.key}" })
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = local.tags

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "public" {
  for_each       = aws_subnet.public
  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

module "ingest" {
  source          = "../../modules/ingest"
  name            = var.name
  bucket          = module.storage.bucket
  bucket_arn      = module.storage.arn
  express         = var.express_zone_id == null ? null : { bucket = module.storage.express_bucket, arn = module.storage.express_arn }
  vpc_id          = aws_vpc.this.id
  subnet_ids      = [for zone in local.zones : aws_subnet.public[zone].id]
  route_table_ids = [aws_route_table.public.id]
  image           = var.worker_image
  publisher_cidrs = var.publisher_cidrs
  rtmps           = var.rtmps
  srt             = var.srt
  ec2             = var.ec2
  tags            = local.tags
}

module "observability" {
  source          = "../../modules/observability"
  name            = var.name
  distribution_id = module.edge.distribution_id
  cluster         = module.ingest.cluster
  services        = ["worker-1", "worker-2"]
  email           = var.email
  budget_usd      = var.budget_usd
  tags            = local.tags
}
