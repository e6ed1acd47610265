//! One run of ffmpeg over the operator's file.

use std::{io, path::Path, process::Stdio, time::Duration};

use tidegate_cmaf::{CodecConfig, ConfigError};
use tidegate_stream::FrameRate;
use tokio::{process::Command, time::timeout};

use super::{Film, Picture, Shape, Slate, Still};
use crate::{
    body::{BodyError, BodyReader, Media},
    flv::{FlvError, Splitter},
    transcode::Ffmpeg,
};

/// Why there is no slate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("the slate cannot be made: {0}")]
    Io(#[from] io::Error),
    #[error("the slate cannot be made within {} s", TIME_MAX.as_secs())]
    Slow,
    #[error("the slate cannot be made: ffmpeg says: {0}")]
    Ffmpeg(String),
    #[error("the slate that ffmpeg has made does not read: {0}")]
    Flv(#[from] FlvError),
    #[error("the slate that ffmpeg has made does not read: {0}")]
    Body(#[from] BodyError),
    #[error("the slate that ffmpeg has made does not read: {0}")]
    Config(#[from] ConfigError),
    #[error("the slate that ffmpeg has made has not all it should have")]
    Incomplete,
}

/// How much of a film is shown over and over.
const FILM_S: u32 = 20;
/// Four rungs of that on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(120);
/// A film needs no more than this.
const BITRATE_KBPS_MAX: u32 = 6_000;
const SOUND_KBPS: u32 = 128;
/// The encoder begins with frames that are not in its input.
const PRIMING_FRAMES: usize = 1;
/// Files of these kinds are one picture.
const STILLS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "bmp", "tiff"];

pub(super) async fn make(ffmpeg: &Ffmpeg, file: &Path, shape: &Shape) -> Result<Slate, MakeError> {
    let folder = tempfile::tempdir()?;
    let has_sound = shape.sound.is_some() && !is_still(file) && has_sound(ffmpeg, file).await?;
    let mut command = Command::new(&ffmpeg.path);
    command.args(args(file, shape, has_sound)).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
    let output = timeout(TIME_MAX, command.output()).await.map_err(|_| MakeError::Slow)??;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(MakeError::Ffmpeg(said.lines().last().unwrap_or("nothing").to_owned()));
    }
    let mut pictures = Vec::new();
    for index in 0..shape.pictures.len() {
        let mut film = read(&tokio::fs::read(folder.path().join(format!("{index}.flv"))).await?)?;
        // A whole number of segments, so that each turn begins one.
        let whole = film.frames.len() / gop(shape) * gop(shape);
        film.frames.truncate(whole);
        pictures.push(film);
    }
    let sound = match shape.sound {
        Some(_) => {
            let mut film = read(&tokio::fs::read(folder.path().join("sound.flv")).await?)?;
            film.frames.drain(..PRIMING_FRAMES.min(film.frames.len()));
            Some(film)
        }
        None => None,
    };
    if pictures.iter().chain(&sound).any(|film| film.frames.is_empty()) {
        return Err(MakeError::Incomplete);
    }
    let (numerator, denominator) = shape.rate;
    Ok(Slate { pictures, sound, rate: FrameRate { numerator, denominator } })
}

fn is_still(file: &Path) -> bool {
    let kind = file.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
    STILLS.iter().any(|still| still.eq_ignore_ascii_case(kind))
}

/// What ffmpeg says of the file where it is asked for nothing else.
async fn has_sound(ffmpeg: &Ffmpeg, file: &Path) -> Result<bool, MakeError> {
    let mut command = Command::new(&ffmpeg.path);
    command.args(["-hide_banner", "-nostdin", "-protocol_whitelist", "file", "-i"]).arg(input(file));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(TIME_MAX, command.output()).await.map_err(|_| MakeError::Slow)??;
    Ok(String::from_utf8_lossy(&output.stderr).contains(": Audio: "))
}

/// A name is never an option or a protocol.
fn input(file: &Path) -> String {
    format!("file:{}", file.display())
}

/// Frames of a segment.
fn gop(shape: &Shape) -> usize {
    let (numerator, denominator) = shape.rate;
    let frames = u64::from(shape.segment_ms) * u64::from(numerator) / (1000 * u64::from(denominator.max(1)));
    usize::try_from(frames).unwrap_or(1).max(1)
}

fn args(file: &Path, shape: &Shape, has_sound: bool) -> Vec<String> {
    let mut args: Vec<String> = Vec::new();
    let mut add = |text: &str| args.extend(text.split(' ').map(str::to_owned));
    let (numerator, denominator) = shape.rate;
    let still = is_still(file);
    let seconds = if still { shape.segment_ms.div_ceil(1000) + 1 } else { FILM_S };
    add("-hide_banner -nostdin -loglevel error -y -protocol_whitelist file");
    add(&if still {
        format!("-f image2 -pattern_type none -loop 1 -framerate {numerator}/{denominator}")
    } else {
        "-stream_loop -1".to_owned()
    });
    add("-i");
    args.push(input(file));
    let mut add = |text: &str| args.extend(text.split(' ').map(str::to_owned));
    let (rate, channels) = shape.sound.unwrap_or((48_000, 2));
    let layout = if channels == 1 { "mono" } else { "stereo" };
    add(&format!("-f lavfi -i anullsrc=r={rate}:cl={layout}"));
    if !shape.pictures.is_empty() {
        add("-filter_complex");
        add(&graph(shape));
    }
    for (index, Picture { bitrate_kbps, .. }) in shape.pictures.iter().enumerate() {
        let (kbps, gop) = (bitrate_kbps.min(&BITRATE_KBPS_MAX), gop(shape));
        add(&format!(
            "-map [v{index}] -t {seconds} -c:v libx264 -preset veryfast -tune zerolatency -threads 1 -profile:v high -pix_fmt yuv420p"
        ));
        add(&format!("-b:v {kbps}k -maxrate {kbps}k -bufsize {kbps}k -g {gop} -keyint_min {gop} -sc_threshold 0 -bf 0"));
        add(&format!("-f flv -flvflags no_duration_filesize {index}.flv"));
    }
    if shape.sound.is_some() {
        let track = if has_sound { "0:a:0" } else { "1:a:0" };
        add(&format!("-map {track} -t {seconds} -vn -c:a aac -b:a {SOUND_KBPS}k -ar {rate} -ac {channels}"));
        add("-f flv -flvflags no_duration_filesize sound.flv");
    }
    args
}

/// The whole of the picture in each size, with black beside it where the sides differ.
fn graph(shape: &Shape) -> String {
    let (numerator, denominator) = shape.rate;
    let outs: String = (0..shape.pictures.len()).map(|index| format!("[s{index}]")).collect();
    let mut graph = format!("[0:v]fps={numerator}/{denominator},split={}{outs}", shape.pictures.len());
    for (index, Picture { width, height, .. }) in shape.pictures.iter().enumerate() {
        graph += &format!(
            ";[s{index}]scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:(ow-iw)/2:(oh-ih)/2,setsar=1[v{index}]"
        );
    }
    graph
}

fn read(flv: &[u8]) -> Result<Film, MakeError> {
    let (mut splitter, mut bodies) = (Splitter::default(), BodyReader::default());
    splitter.push(flv);
    let (mut config, mut frames) = (None, Vec::new());
    while let Some(tag) = splitter.next_tag()? {
        match bodies.read(&tag)? {
            Media::VideoConfig(record) => config = Some(CodecConfig::avc(&record)?),
            Media::AudioConfig(record) => config = Some(CodecConfig::aac(&record)?),
            Media::VideoFrame { sync, data, .. } => frames.push(Still { sync, data }),
            Media::AudioFrame(data) => frames.push(Still { sync: true, data }),
            Media::Nothing => {}
        }
    }
    Ok(Film { config: config.ok_or(MakeError::Incomplete)?, frames })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        let picture = |width, height, bitrate_kbps| Picture { width, height, bitrate_kbps };
        Shape {
            pictures: vec![picture(1920, 1080, 9000), picture(480, 270, 500)],
            rate: (30_000, 1001),
            segment_ms: 2000,
            sound: Some((44_100, 1)),
        }
    }

    #[test]
    fn a_still_is_one_segment_in_every_size_with_silence() {
        let line = args(Path::new("/x/soon back.PNG"), &shape(), false).join("|");
        assert!(
            line.contains(
                "-f|image2|-pattern_type|none|-loop|1|-framerate|30000/1001|-i|file:/x/soon back.PNG|-f|lavfi|-i|anullsrc=r=44100:cl=mono|"
            ),
            "{line}"
        );
        assert!(line.contains("split=2[s0][s1];[s0]scale=1920:1080:force_original_aspect_ratio=decrease,pad=1920:1080"), "{line}");
        assert!(line.contains("-b:v|6000k") && line.contains("-b:v|500k") && line.contains("-g|59|-keyint_min|59"), "{line}");
        assert!(line.contains("-map|1:a:0|-t|3|-vn|-c:a|aac|-b:a|128k|-ar|44100|-ac|1|"), "{line}");
    }

    #[test]
    fn a_film_keeps_its_sound_and_a_name_is_no_option() {
        let film = args(Path::new("-film.mp4"), &shape(), true).join("|");
        assert!(film.contains("-stream_loop|-1|-i|file:-film.mp4|") && film.contains("-map|0:a:0|-t|20|"), "{film}");
        let pictures = args(Path::new("film.mp4"), &Shape { sound: None, ..shape() }, true).join("|");
        assert!(!pictures.contains("sound.flv"), "{pictures}");
        let sound = args(Path::new("film.mp4"), &Shape { pictures: Vec::new(), ..shape() }, true).join("|");
        assert!(!sound.contains("filter_complex") && sound.contains("sound.flv"), "{sound}");
    }
}
