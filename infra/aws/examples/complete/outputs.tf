output "watch" {
  description = "Playlist of a stream: put its name in place of <stream>."
  value       = "https://${module.edge.domain}/live/<stream>/index.m3u8"
}

output "publish" {
  description = "Where encoders push: primary, backup."
  value       = module.ingest.addresses
}

output "publish_srt" {
  description = "Where encoders call over SRT, by stream: primary, backup."
  value       = module.ingest.srt_addresses
}

output "publish_cname" {
  description = "Where the name in `rtmps` has to lead."
  value       = module.ingest.balancer
}

output "bucket" {
  description = "Name of the bucket."
  value       = module.storage.bucket
}
