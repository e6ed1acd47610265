//! What `tidegate up` says to the person who started it.
#![allow(clippy::print_stdout, reason = "the command's answer")]

use std::{
    fmt,
    io::{IsTerminal as _, Write as _, stdout},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::admin::Admin;
use tidegate_ingest_worker::StreamMetrics;
use tidegate_stream::StreamId;
use tokio::time::interval;

/// The addresses of a running platform.
pub(crate) struct Report {
    /// The page with the player.
    pub(crate) watch: String,
    /// For other players.
    pub(crate) playlist: String,
    /// Ordinary HLS straight from the bucket, where anybody may read it.
    pub(crate) bucket: Option<String>,
    /// For encoders.
    pub(crate) rtmp: String,
    /// The key of the stream that encoders publish.
    pub(crate) stream_key: String,
    /// The page that shows it.
    pub(crate) studio: String,
    /// The page for owners.
    pub(crate) dashboard: String,
    /// What opens that page.
    pub(crate) admin: Admin,
}

/// How often the status line changes.
const STATUS_EVERY: Duration = Duration::from_secs(2);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { watch, playlist, bucket, rtmp, stream_key, studio, dashboard, admin } = self;
        writeln!(f, "\n  Watch       {watch}")?;
        writeln!(f, "  Playlist    {playlist}   (VLC, ffplay, hls.js)")?;
        if let Some(bucket) = bucket {
            writeln!(f, "  Bucket      {bucket}   (the same as ordinary HLS, without the edge)")?;
        }
        writeln!(f, "\n  OBS         {rtmp}")?;
        writeln!(f, "  Stream key  {stream_key}")?;
        writeln!(f, "  Shown at    {studio}")?;
        writeln!(f, "\n  Dashboard   {dashboard}")?;
        match &admin.new {
            Some(token) => writeln!(f, "  API token   {token}   (shown once; kept in {})", admin.file.display())?,
            None => writeln!(f, "  API token   in {}", admin.file.display())?,
        }
        writeln!(f, "\n  Ctrl-C ends the stream and stops everything.\n")
    }
}

impl Report {
    /// The addresses for these streams, the first of which is shown; `edge` is the edge's own, without a slash at the end.
    pub(crate) fn new(edge: &str, public: Option<&str>, rtmp: &str, stream_key: &str, streams: &[StreamId], admin: Admin) -> Self {
        let shown = streams.first().map_or("", StreamId::as_str);
        let studio = streams.last().map_or("", StreamId::as_str);
        Self {
            watch: format!("{edge}/"),
            playlist: format!("{edge}/live/{shown}/index.m3u8"),
            bucket: public.map(|base| format!("{base}/live/{shown}/index.m3u8")),
            rtmp: rtmp.into(),
            stream_key: stream_key.into(),
            studio: format!("{edge}/?stream={studio}"),
            dashboard: format!("{edge}/dashboard"),
            admin,
        }
    }

    pub(crate) fn print(&self) {
        // Whoever reads this through a pipe waits for it.
        print!("{self}");
        let _ = stdout().flush();
    }
}

/// Keeps one line on a terminal up to date; says nothing elsewhere.
pub(crate) async fn status(streams: Vec<(StreamId, Arc<StreamMetrics>)>) {
    if !stdout().is_terminal() {
        return std::future::pending().await;
    }
    let mut ticks = interval(STATUS_EVERY);
    let mut before = vec![0; streams.len()];
    loop {
        ticks.tick().await;
        let mut line = String::new();
        for ((stream, metrics), before) in streams.iter().zip(&mut before) {
            let bytes = metrics.input_bytes.load(Relaxed);
            let kbps = bytes.saturating_sub(*before) * 8 / 1000 / STATUS_EVERY.as_secs();
            *before = bytes;
            let live = metrics.live.load(Relaxed);
            let said = if live {
                format!("{stream}: live, {kbps} kbit/s, {} parts   ", metrics.parts.load(Relaxed))
            } else {
                format!("{stream}: waiting   ")
            };
            line.push_str(&said);
        }
        print!("\r\x1b[2K  {line}");
        let _ = stdout().flush();
    }
}

/// Says that the end has begun, so that nobody presses Ctrl-C twice without need.
pub(crate) fn stopping() {
    let clear = if stdout().is_terminal() { "\r\x1b[2K" } else { "" };
    println!("{clear}  ending the stream");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_what_has_to_be_pasted() {
        let streams = ["demo", "studio"].map(|name| StreamId::parse(name).unwrap());
        let admin = |new: Option<&str>| Admin { new: new.map(Into::into), file: "/data/keys/admin".into() };
        let bucket = Some("http://127.0.0.1:9000/tidegate");
        let report = |new| Report::new("http://127.0.0.1:8080", bucket, "rtmp://127.0.0.1:1935/live", "0123", &streams, admin(new));
        let expected = "
  Watch       http://127.0.0.1:8080/
  Playlist    http://127.0.0.1:8080/live/demo/index.m3u8   (VLC, ffplay, hls.js)
  Bucket      http://127.0.0.1:9000/tidegate/live/demo/index.m3u8   (the same as ordinary HLS, without the edge)

  OBS         rtmp://127.0.0.1:1935/live
  Stream key  0123
  Shown at    http://127.0.0.1:8080/?stream=studio

  Dashboard   http://127.0.0.1:8080/dashboard
  API token   tga_0_1   (shown once; kept in /data/keys/admin)

  Ctrl-C ends the stream and stops everything.

";
        assert_eq!(report(Some("tga_0_1")).to_string(), expected);
        assert!(report(None).to_string().contains("  API token   in /data/keys/admin\n"));
    }
}
