//! Draws the picture in real time and lets ffmpeg push it.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_util::sync::CancellationToken;

use super::picture::{FRAME_BYTES, HEIGHT, Picture, RATE, WIDTH};
use crate::child;

/// How long ffmpeg may take to send its last frames.
const FLUSH: Duration = Duration::from_secs(5);

/// Pushes the demo to an RTMP address until `stop`, then ends the publish in good order.
pub async fn push(ffmpeg: &Path, address: &str, stop: CancellationToken) -> anyhow::Result<()> {
    let mut command = child::command(ffmpeg);
    arguments(&mut command, address);
    command.stdin(Stdio::piped());
    let (mut ffmpeg, complaints) = child::start(command, "the demo's ffmpeg")?;
    let mut pipe = ffmpeg.stdin.take().context("the demo's ffmpeg has no input")?;

    let (mut picture, mut bytes) = (Picture::new(), Vec::with_capacity(FRAME_BYTES));
    let every = Duration::from_nanos(1_000_000_000 / u64::from(RATE));
    let mut ticks = interval_at(Instant::now(), every);
    // After a pause of the machine the missing frames are drawn at once: the number of a frame says its media time.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for frame in 0.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        let utc_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        picture.draw(frame, utc_ms, &mut bytes);
        let written = tokio::select! {
            () = stop.cancelled() => break,
            written = pipe.write_all(&bytes) => written,
        };
        if written.is_err() {
            let last = complaints.await.unwrap_or_default().join("; ");
            bail!("the demo's ffmpeg ended: {last}");
        }
    }
    drop(pipe);
    if timeout(FLUSH, ffmpeg.wait()).await.is_err() {
        child::stop(&mut ffmpeg, "the demo's ffmpeg").await;
    }
    Ok(())
}

fn arguments(command: &mut Command, address: &str) {
    let size = format!("{WIDTH}x{HEIGHT}");
    let (rate, gop) = (RATE.to_string(), (2 * RATE).to_string());
    let picture = ["-probesize", "32", "-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", &size, "-framerate", &rate];
    let colours = ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"];
    let tone = "sine=frequency=220:sample_rate=48000,volume=0.3,tremolo=f=0.3:d=0.6";
    // One thread and the fastest preset: the demo leaves the machine to the ladder and the browser.
    let encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-pix_fmt", "yuv420p"];
    let bitrate = ["-g", &gop, "-b:v", "2000k", "-maxrate", "2000k", "-bufsize", "2000k"];
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
    command.args(picture).args(colours).args(["-i", "pipe:0"]);
    command.args(["-f", "lavfi", "-i", tone, "-map", "0:v", "-map", "1:a", "-shortest"]);
    command.args(encoder).args(bitrate).args(colours).args(["-c:a", "aac", "-b:a", "96k", "-ac", "2"]);
    command.args(["-flush_packets", "1", "-f", "flv", address]);
}
