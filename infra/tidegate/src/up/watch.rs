//! The files that the edge serves beside the streams: the watch page and the player.

use std::{fs, path::Path};

use anyhow::Context as _;
use tidegate_host::Statics;
use tidegate_stream::StreamId;

/// The page for these streams, the first of which is shown.
pub(crate) fn statics(player: &Path, streams: &[StreamId]) -> anyhow::Result<Statics> {
    let cannot = || format!("the player in {} cannot be read: build it again with infra/build web", player.display());
    let page = fs::read_to_string(player.join("watch.html")).with_context(cannot)?;
    // A stream's name is made of letters that mean nothing in HTML.
    let page = page.replace("@streams@", &serde_json::to_string(streams)?);
    let statics = Statics::default().file("/index.html", page.clone()).file("/watch.html", page.clone()).file("/watch", page);
    statics.folder("/player/", player).with_context(cannot)
}
