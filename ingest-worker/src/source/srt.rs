//! SRT: an ffmpeg that listens on a port of its own for one stream. Who has the passphrase publishes it: it encrypts what comes, and without it no
//! connection is made. (A listener of ffmpeg's takes one caller and looks at no stream id, so a port is a stream.)

use std::{
    fmt, io,
    net::{SocketAddr, UdpSocket},
    process::Stdio,
    str::FromStr,
    time::Duration,
};

use tidegate_stream::StreamId;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStdout, Command},
    sync::mpsc,
    time::{Instant, sleep, timeout, timeout_at},
};
use tracing::{debug, info};

use super::{Item, Source};
use crate::{
    flv::{Splitter, Tag},
    transcode::Ffmpeg,
};

/// A stream and the port at which its encoder calls: `demo=0.0.0.0:9000`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SrtPort {
    /// The stream.
    pub stream: StreamId,
    /// Where to listen (UDP).
    pub listen: SocketAddr,
}

/// What encoders have to know, of 10 to 79 characters; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(String);

/// Why SRT is not listened for.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SrtError {
    /// Not as it is written.
    #[error("`{0}` is no SRT port: write STREAM=ADDRESS:PORT, as demo=0.0.0.0:9000")]
    Port(String),
    /// Too short, or too long for the protocol.
    #[error("SRT wants a passphrase of 10 to 79 characters: set TIDEGATE_SRT_PASSPHRASE")]
    Passphrase,
    /// The ffmpeg was built without it.
    #[error("{0} knows no SRT: infra/tools fetches an ffmpeg that does")]
    Unknown(String),
}

/// An encoder that calls over SRT, or has called and may come back.
pub(crate) struct SrtSource {
    ffmpeg: Ffmpeg,
    port: SrtPort,
    passphrase: Passphrase,
    running: Option<Running>,
    silence: Duration,
    window: Duration,
    /// Until when a caller who has gone may come back.
    until: Option<Instant>,
}

struct Running {
    child: Child,
    stdout: ChildStdout,
    tags: Splitter,
    last_bytes: Instant,
    last_words: mpsc::Receiver<String>,
}

const PASSPHRASE_MIN: usize = 10;
const PASSPHRASE_MAX: usize = 79;
const READ_BYTES: usize = 64 * 1024;
/// Between two starts of an ffmpeg that ends at once: somebody else may have its port.
const AGAIN: Duration = Duration::from_secs(1);
/// How long an ffmpeg waits for a caller; then it is started anew.
const LISTEN_TIME_MAX: Duration = Duration::from_secs(20);
/// What it says then.
const NOBODY: &str = "Connection timed out";
/// How long an ffmpeg may take to say what it can.
const ASK_TIME_MAX: Duration = Duration::from_secs(10);

impl FromStr for SrtPort {
    type Err = SrtError;

    fn from_str(text: &str) -> Result<Self, SrtError> {
        let wrong = || SrtError::Port(text.into());
        let (stream, listen) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { stream: StreamId::parse(stream).map_err(|_| wrong())?, listen: listen.parse().map_err(|_| wrong())? })
    }
}

impl Passphrase {
    /// Takes one that the protocol takes.
    pub fn new(text: &str) -> Result<Self, SrtError> {
        let fits = (PASSPHRASE_MIN..=PASSPHRASE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.into())) } else { Err(SrtError::Passphrase) }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase")
    }
}

impl SrtPort {
    /// Whether the port can be had; a listener of ffmpeg's says that to nobody.
    pub(crate) fn check(&self) -> io::Result<()> {
        UdpSocket::bind(self.listen).map(drop)
    }

    fn args(&self, passphrase: &Passphrase) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut args = words("-hide_banner -nostats -nostdin -loglevel error -protocol_whitelist srt,udp");
        // A worker that is killed leaves its listener behind, and with it the port: not for longer than this.
        args.extend(["-listen_timeout".to_owned(), LISTEN_TIME_MAX.as_micros().to_string()]);
        args.extend(words("-mode listener -pbkeylen 16 -passphrase"));
        args.push(passphrase.0.clone());
        // A second says what is in it; what came meanwhile is not lost.
        args.extend(words("-analyzeduration 1000000 -probesize 2000000 -f mpegts -i"));
        args.push(format!("srt://{}", self.listen));
        args.extend(words("-map 0:V:0? -map 0:a:0? -c copy -sn -dn -f flv -flvflags no_duration_filesize -flush_packets 1 pipe:1"));
        args
    }
}

/// Whether an ffmpeg was built with SRT.
pub(crate) async fn knows_srt(ffmpeg: &Ffmpeg) -> Result<(), SrtError> {
    let mut command = Command::new(&ffmpeg.path);
    command.args(["-hide_banner", "-protocols"]).stdin(Stdio::null()).kill_on_drop(true);
    let said = timeout(ASK_TIME_MAX, command.output()).await.ok().and_then(Result::ok).map(|output| output.stdout).unwrap_or_default();
    let known = String::from_utf8_lossy(&said).lines().any(|line| line.trim() == "srt");
    if known { Ok(()) } else { Err(SrtError::Unknown(ffmpeg.path.display().to_string())) }
}

impl SrtSource {
    /// Waits until an encoder has called and something of it can be shown. A caller with another passphrase is none.
    pub(crate) async fn accept(ffmpeg: Ffmpeg, port: SrtPort, passphrase: Passphrase, silence: Duration, window: Duration) -> Self {
        let mut source = Self { ffmpeg, port, passphrase, running: None, silence, window, until: None };
        while !source.called().await {
            sleep(AGAIN).await;
        }
        source
    }

    /// Listens until bytes come; whether they did.
    async fn called(&mut self) -> bool {
        if self.running.is_none() {
            match self.start() {
                Ok(running) => self.running = Some(running),
                Err(error) => {
                    debug!(stream = %self.port.stream, %error, "ffmpeg does not start");
                    return false;
                }
            }
        }
        let Some(running) = &mut self.running else { return false };
        running.tags.buffer().reserve(READ_BYTES);
        match running.stdout.read_buf(running.tags.buffer()).await {
            Ok(1..) => {
                running.last_bytes = Instant::now();
                true
            }
            Ok(0) | Err(_) => {
                let words = running.last_words.recv().await.unwrap_or_default();
                // A call that was refused is one of these, and so is media that FLV has no place for.
                if words.ends_with(NOBODY) {
                    debug!(stream = %self.port.stream, "nobody has called over SRT for a while");
                } else {
                    info!(stream = %self.port.stream, why = words, "a call over SRT came to nothing");
                }
                self.running = None;
                false
            }
        }
    }

    fn start(&self) -> io::Result<Running> {
        let mut command = Command::new(&self.ffmpeg.path);
        command.args(self.port.args(&self.passphrase)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // As for encoders: who presses Ctrl-C ends the worker, which ends this.
        command.kill_on_drop(true).process_group(0);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("ffmpeg has no stdout"))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("ffmpeg has no stderr"))?;
        let (say, last_words) = mpsc::channel(1);
        let stream = self.port.stream.clone();
        tokio::spawn(async move {
            let (mut lines, mut last) = (BufReader::new(stderr).split(b'\n'), String::new());
            while let Ok(Some(line)) = lines.next_segment().await {
                last = String::from_utf8_lossy(&line).chars().take(200).collect();
                debug!(%stream, "ffmpeg: {last}");
            }
            let _ = say.send(last).await;
        });
        Ok(Running { child, stdout, tags: Splitter::default(), last_bytes: Instant::now(), last_words })
    }
}

impl Running {
    /// The next tag; why there is none.
    async fn tag(&mut self, silence: Duration) -> Result<Tag, String> {
        loop {
            if let Some(tag) = self.tags.next_tag().map_err(|error| error.to_string())? {
                return Ok(tag);
            }
            self.tags.buffer().reserve(READ_BYTES);
            match timeout_at(self.last_bytes + silence, self.stdout.read_buf(self.tags.buffer())).await {
                Ok(Ok(0)) => {
                    let _ = self.child.wait().await;
                    return Err("the caller has gone".into());
                }
                Ok(Ok(_)) => self.last_bytes = Instant::now(),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(format!("nothing came for {} s", silence.as_secs())),
            }
        }
    }
}

impl Source for SrtSource {
    async fn next(&mut self) -> Item {
        loop {
            let Some(until) = self.until else {
                let Some(running) = &mut self.running else { return Item::End };
                match running.tag(self.silence).await {
                    Ok(tag) => return Item::Tag(tag),
                    Err(reason) => {
                        // The port is free again when its process is gone.
                        if let Some(mut gone) = self.running.take() {
                            let _ = gone.child.kill().await;
                        }
                        self.until = Some(Instant::now() + self.window);
                        return Item::Break { reason };
                    }
                }
            };
            match timeout_at(until, self.called()).await {
                Ok(true) => self.until = None,
                Ok(false) if Instant::now() < until => sleep(AGAIN).await,
                Ok(false) | Err(_) => return Item::End,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_a_stream_and_an_address() {
        let port: SrtPort = "demo=0.0.0.0:9000".parse().unwrap();
        assert_eq!((port.stream.as_str(), port.listen.port()), ("demo", 9000));
        for bad in ["", "demo", "demo=9000", "=0.0.0.0:9000", "de mo=0.0.0.0:9000", "demo=host:9000"] {
            assert_eq!(bad.parse::<SrtPort>(), Err(SrtError::Port(bad.into())));
        }
    }

    #[test]
    fn a_passphrase_is_what_the_protocol_takes_and_is_not_shown() {
        let good = Passphrase::new("a-good-passphrase").unwrap();
        assert_eq!(format!("{good:?}"), "Passphrase");
        for bad in ["", "too-short", "with a space in it", &"x".repeat(80)] {
            assert_eq!(Passphrase::new(bad), Err(SrtError::Passphrase), "{bad}");
        }
    }

    #[test]
    fn what_ffmpeg_is_told_listens_and_encrypts() {
        let port: SrtPort = "demo=[::]:9000".parse().unwrap();
        let args = port.args(&Passphrase::new("0123456789").unwrap()).join(" ");
        assert!(args.contains("-listen_timeout 20000000 "), "{args}");
        assert!(args.contains("-mode listener -pbkeylen 16 -passphrase 0123456789 "), "{args}");
        assert!(args.contains("-i srt://[::]:9000 ") && args.contains("-c copy"), "{args}");
    }
}
