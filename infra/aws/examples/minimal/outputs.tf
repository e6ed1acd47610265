output "watch" {
  description = "Playlist of a stream: put its name in place of <stream>."
  value       = "https://${module.edge.domain}/live/<stream>/index.m3u8"
}

output "bucket" {
  description = "Name of the bucket, for the worker."
  value       = module.storage.bucket
}
