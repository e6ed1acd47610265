use std::{
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use super::{Item, Source};
use crate::{flv::Splitter, transcode::Ffmpeg};

/// What is fetched rather than pushed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pull {
    /// A file, played over and over at its own pace.
    File(PathBuf),
    /// `http(s)://`, `rtmp(s)://` or `srt://`.
    Url(String),
}

/// Why something cannot be pulled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    /// Another protocol.
    #[error("`{0}` cannot be pulled: give a file, or an address that starts with http://, https://, rtmp://, rtmps:// or srt://")]
    Protocol(String),
    /// The file is not there.
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    /// ffmpeg cannot open it.
    #[error("{input} cannot be opened: {reason}")]
    Open {
        /// What was tried.
        input: String,
        /// What ffmpeg said.
        reason: String,
    },
    /// Neither pictures nor sound.
    #[error("{0} has neither pictures nor sound")]
    NoMedia(String),
}

/// An ffmpeg that fetches, started again when it fails.
pub(crate) struct PullSource {
    ffmpeg: Ffmpeg,
    pull: Pull,
    codecs: Codecs,
    running: Option<Running>,
    failures: u32,
    start_at: Instant,
}

struct Running {
    child: Child,
    stdout: ChildStdout,
    tags: Splitter,
    last_bytes: Instant,
}

/// What has to be encoded on the way, because not every player decodes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Codecs {
    video: Need,
    audio: Need,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Need {
    Absent,
    Copy,
    Encode,
}

/// How long a server may take to show what it has.
const OPEN_TIME_MAX: Duration = Duration::from_secs(20);
/// How long nothing may come before the ffmpeg is started again; longer than a segment of ordinary HLS.
const SILENCE_MAX: Duration = Duration::from_secs(20);
/// Starts in a row without a single byte; with the waits between them about half a minute.
const FAILURES_MAX: u32 = 6;
const WAIT_MAX: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 64 * 1024;
/// Of what ffmpeg says while it opens an input.
const REPORT_BYTES_MAX: u64 = 256 * 1024;

impl FromStr for Pull {
    type Err = PullError;

    fn from_str(text: &str) -> Result<Self, PullError> {
        match text.split_once("://") {
            Some(("http" | "https" | "rtmp" | "rtmps" | "srt", _)) => Ok(Self::Url(text.into())),
            Some(("file", path)) => Ok(Self::File(path.into())),
            Some(_) => Err(PullError::Protocol(text.into())),
            None => Ok(Self::File(text.into())),
        }
    }
}

impl Pull {
    /// The name for messages. An address may carry a password or a key: only its host is shown.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let host = rest.split(['/', '?']).next().unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}")
            }
        }
    }

    /// What ffmpeg says of it, where it may say the whole address.
    fn without_secrets(&self, text: &str) -> String {
        match self {
            Self::File(_) => text.to_owned(),
            Self::Url(url) => text.replace(url.as_str(), &self.name()),
        }
    }

    fn input(&self) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match self {
            Self::File(path) => [words("-protocol_whitelist file -i"), vec![format!("file:{}", path.display())]].concat(),
            // An address that was given by somebody else has to be checked for private networks here, before ffmpeg
            // resolves it; today only who starts the worker names addresses.
            Self::Url(url) if url.starts_with("http") => {
                [words("-protocol_whitelist http,https,tcp,tls,crypto,data -rw_timeout 15000000 -i"), vec![url.clone()]].concat()
            }
            Self::Url(url) if url.starts_with("srt") => [words("-protocol_whitelist srt,udp -i"), vec![url.clone()]].concat(),
            Self::Url(url) => [words("-protocol_whitelist rtmp,rtmps,tcp,tls -rw_timeout 15000000 -i"), vec![url.clone()]].concat(),
        }
    }

    fn args(&self, codecs: Codecs) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let pace = match self {
            Self::File(_) => "-re -stream_loop -1",
            // Segments of HLS come in bursts; a server of RTMP keeps the pace by itself.
            Self::Url(url) if url.starts_with("http") => "-re",
            Self::Url(_) => "",
        };
        let video = match codecs.video {
            Need::Absent => "-vn",
            Need::Copy => "-map 0:V:0 -c:v copy",
            Need::Encode => {
                "-map 0:V:0 -c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -crf 21 -maxrate 8M -bufsize 8M \
                 -force_key_frames expr:gte(t,n_forced*2)"
            }
        };
        let audio = match codecs.audio {
            Need::Absent => "-an",
            Need::Copy => "-map 0:a:0 -c:a copy",
            Need::Encode => "-map 0:a:0 -c:a aac -b:a 128k -ar 48000 -ac 2",
        };
        let mut args = words("-hide_banner -nostats -nostdin -loglevel error");
        args.extend(pace.split_whitespace().map(str::to_owned));
        args.extend(self.input());
        args.extend(video.split_whitespace().map(str::to_owned));
        args.extend(words(audio));
        args.extend(words("-sn -dn -f flv -flvflags no_duration_filesize -flush_packets 1 pipe:1"));
        args
    }
}

impl PullSource {
    /// Looks what the input has, and makes ready to fetch it.
    pub(crate) async fn open(ffmpeg: Ffmpeg, pull: Pull) -> Result<Self, PullError> {
        if let Pull::File(path) = &pull
            && !path.is_file()
        {
            return Err(PullError::Missing(path.clone()));
        }
        let report = report(&ffmpeg.path, &pull).await?;
        let codecs = codecs(&report);
        if codecs.video == Need::Absent && codecs.audio == Need::Absent {
            let input = pull.name();
            // Without an output file ffmpeg always ends with an error; where it saw no stream, its last line says why.
            return match report.lines().rev().find(|line| line.contains("rror")) {
                Some(reason) if !report.contains("Input #0") => Err(PullError::Open { input, reason: pull.without_secrets(reason.trim()) }),
                _ => Err(PullError::NoMedia(input)),
            };
        }
        Ok(Self { ffmpeg, pull, codecs, running: None, failures: 0, start_at: Instant::now() })
    }

    fn start(&mut self) -> std::io::Result<()> {
        let mut command = Command::new(&self.ffmpeg.path);
        command.args(self.pull.args(self.codecs)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // As for encoders: who presses Ctrl-C ends the worker, which ends the pull.
        command.process_group(0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| std::io::Error::other("ffmpeg has no stdout"))?;
        if let Some(stderr) = child.stderr.take() {
            let pull = self.pull.clone();
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).split(b'\n');
                while let Ok(Some(line)) = lines.next_segment().await {
                    debug!(input = pull.name(), "ffmpeg: {}", pull.without_secrets(&String::from_utf8_lossy(&line)));
                }
            });
        }
        self.running = Some(Running { child, stdout, tags: Splitter::default(), last_bytes: Instant::now() });
        Ok(())
    }

    /// What follows when a run ends: another try later, or the end.
    fn ended(&mut self, reason: String) -> Item {
        self.running = None;
        self.failures += 1;
        if self.failures > FAILURES_MAX {
            warn!(input = self.pull.name(), reason, "the input is given up");
            return Item::End;
        }
        self.start_at = Instant::now() + WAIT_MAX.min(Duration::from_millis(500) * 2u32.pow(self.failures.min(8)));
        Item::Break { reason }
    }
}

impl Source for PullSource {
    async fn next(&mut self) -> Item {
        loop {
            let Some(running) = &mut self.running else {
                sleep_until(self.start_at).await;
                if let Err(error) = self.start() {
                    return self.ended(format!("ffmpeg does not start: {error}"));
                }
                continue;
            };
            match running.tags.next_tag() {
                Ok(Some(tag)) => return Item::Tag(tag),
                Ok(None) => {}
                Err(error) => return self.ended(error.to_string()),
            }
            running.tags.buffer().reserve(READ_BYTES);
            let read = running.stdout.read_buf(running.tags.buffer());
            match tokio::time::timeout_at(running.last_bytes + SILENCE_MAX, read).await {
                Ok(Ok(0)) => {
                    let status = running.child.wait().await;
                    match (&self.pull, status) {
                        (Pull::Url(_), Ok(status)) if status.success() => return Item::End,
                        (_, Ok(status)) => return self.ended(format!("ffmpeg ended ({status})")),
                        (_, Err(error)) => return self.ended(error.to_string()),
                    }
                }
                Ok(Ok(_)) => {
                    running.last_bytes = Instant::now();
                    self.failures = 0;
                }
                Ok(Err(error)) => return self.ended(error.to_string()),
                Err(_) => return self.ended(format!("nothing came for {} s", SILENCE_MAX.as_secs())),
            }
        }
    }
}

/// What ffmpeg says about an input when it is asked for nothing else.
async fn report(ffmpeg: &Path, pull: &Pull) -> Result<String, PullError> {
    let error = |reason: String| PullError::Open { input: pull.name(), reason };
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin"]).args(pull.input());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|e| error(e.to_string()))?;
    let mut text = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        let read = timeout(OPEN_TIME_MAX, stderr.take(REPORT_BYTES_MAX).read_to_end(&mut text)).await;
        read.map_err(|_| error(format!("it did not show what it has within {} s", OPEN_TIME_MAX.as_secs())))?
            .map_err(|e| error(e.to_string()))?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Reads lines as `Stream #0:0(und): Video: h264 (High), yuv420p, …`.
fn codecs(report: &str) -> Codecs {
    let need = |kind: &str, copied: &str| {
        let mark = format!(": {kind}: ");
        let mut streams = report.lines().filter(|line| line.contains("Stream #0:") && !line.contains("(attached pic)"));
        match streams.find_map(|line| Some(line.split_once(&mark)?.1)) {
            None => Need::Absent,
            // ffmpeg copies 10-bit and 4:2:2 pictures too, but browsers do not show them.
            Some(rest) if rest.starts_with(copied) && (kind == "Audio" || rest.contains("yuv420p(") || rest.contains("yuv420p,")) => {
                Need::Copy
            }
            Some(rest) if rest.starts_with(copied) && rest.contains("yuvj420p") => Need::Copy,
            Some(_) => Need::Encode,
        }
    };
    Codecs { video: need("Video", "h264"), audio: need("Audio", "aac") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_passphrase_is_not_repeated() {
        let pull: Pull = "srt://o.example:9000?passphrase=only-for-this-test".parse().unwrap();
        let said = pull.without_secrets("srt://o.example:9000?passphrase=only-for-this-test: Input/output error");
        assert_eq!(said, "srt://o.example:9000: Input/output error");
    }

    #[test]
    fn only_files_and_five_protocols_are_pulled() {
        assert_eq!("film.mp4".parse::<Pull>().unwrap(), Pull::File("film.mp4".into()));
        assert_eq!("https://a/b.m3u8".parse::<Pull>().unwrap(), Pull::Url("https://a/b.m3u8".into()));
        assert_eq!("srt://a:9000?passphrase=x".parse::<Pull>().unwrap().name(), "srt://a:9000");
        assert!(matches!("udp://239.0.0.1:1".parse::<Pull>(), Err(PullError::Protocol(_))));
        assert!(matches!("concat://x".parse::<Pull>(), Err(PullError::Protocol(_))));
    }

    #[test]
    fn names_for_messages_hold_no_secret() {
        assert_eq!(Pull::Url("rtmp://user:word@host:1935/live/key".into()).name(), "rtmp://host:1935");
        assert_eq!(Pull::Url("https://host?token=1".into()).name(), "https://host");
    }

    #[test]
    fn a_file_name_is_never_an_option_or_another_protocol() {
        let args = Pull::File("-i".into()).args(Codecs { video: Need::Copy, audio: Need::Absent });
        assert!(args.contains(&"file:-i".to_owned()));
        assert!(args.windows(2).any(|pair| pair == ["-protocol_whitelist", "file"]));
    }

    #[test]
    fn what_players_do_not_decode_is_encoded() {
        let film = "Input #0, mov\n  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(tv, bt709), 1280x720\n  \
                    Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, stereo, fltp, 128 kb/s (default)";
        assert_eq!(codecs(film), Codecs { video: Need::Copy, audio: Need::Copy });
        let other = "  Stream #0:0: Video: hevc (Main 10), yuv420p10le(tv), 3840x2160\n  Stream #0:1: Audio: opus, 48000 Hz";
        assert_eq!(codecs(other), Codecs { video: Need::Encode, audio: Need::Encode });
        let song = "  Stream #0:0: Audio: mp3, 44100 Hz\n  Stream #0:1: Video: mjpeg, yuvj420p(pc), 500x500 (attached pic)";
        assert_eq!(codecs(song), Codecs { video: Need::Absent, audio: Need::Encode });
        let ten_bit = "  Stream #0:0: Video: h264 (High 10), yuv420p10le(progressive), 1280x720";
        assert_eq!(codecs(ten_bit).video, Need::Encode);
    }
}
