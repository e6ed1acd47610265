//! The files that the edge serves beside the streams: the watch page, the dashboard and the player.

use std::{fs, path::Path};

use anyhow::Context as _;
use tidegate_host::Statics;
use tidegate_stream::StreamId;

/// The watch page for these streams, the first of which is shown, and the dashboard, which says that encoders connect to `rtmp`.
pub(crate) fn statics(player: &Path, streams: &[StreamId], rtmp: &str) -> anyhow::Result<Statics> {
    let cannot = || format!("the player in {} cannot be read: build it again with infra/build web", player.display());
    let page = |name: &str| fs::read_to_string(player.join(name)).with_context(cannot);
    // Neither the name of a stream nor an address has a letter that means something in HTML.
    let watch = page("watch.html")?.replace("@streams@", &serde_json::to_string(streams)?);
    let dashboard = page("dashboard.html")?.replace("@place@", &serde_json::json!({ "rtmp": rtmp }).to_string());
    let statics = Statics::default().folder("/player/", player).with_context(cannot)?;
    let statics = statics.file("/index.html", watch.clone()).file("/watch.html", watch.clone()).file("/watch", watch);
    Ok(statics.file("/dashboard.html", dashboard.clone()).file("/dashboard", dashboard))
}
