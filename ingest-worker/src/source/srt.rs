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
    transcode::{Ffmpeg, start_tied, terminate},
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
/// What is taken of it.
const TAKE: &str = "-map 0:V:0? -map 0:a:0? -c copy -sn -dn -f flv -flvflags no_duration_filesize -flush_packets 1 pipe:1";
/// A second or two on a machine that has nothing else to do.
const GOOD_BYE_TIME_MAX: Duration = Duration::from_secs(10);
/// How long an ffmpeg waits for a caller; then it is started anew.
const LISTEN_TIME_MAX: Duration = Duration::from_secs(20);
/// What it says then.
const NOBODY: &str = "Connection timed out";
/// Who comes back, or is the second of two, begins anywhere in a GOP, and what a picture is stands in its key frames: they are waited for, so long and within
/// so many bytes (5 s at 32 Mbit/s), and not for longer than it takes to see one. For that, one programme's table is enough (with all of them to be looked for
/// the whole time is waited), and packets of a kind that nobody knows hold up the others for ten of them, not for 2,500. What came meanwhile is not lost.
const PROBE: &str = "-scan_all_pmts 0 -max_probe_packets 10 -analyzeduration 5000000 -probesize 20000000";
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
    /// Whether the port can be had, which a listener of ffmpeg's says to nobody. That of a worker that was killed a moment ago is still saying good-bye.
    pub(crate) async fn check(&self) -> io::Result<()> {
        let until = Instant::now() + GOOD_BYE_TIME_MAX;
        loop {
            match UdpSocket::bind(self.listen) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => sleep(AGAIN / 10).await,
                bound => return bound.map(drop),
            }
        }
    }

    fn args(&self, passphrase: &Passphrase) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut args = words("-hide_banner -nostats -nostdin -loglevel error -protocol_whitelist srt,udp");
        // Where nothing ties it to the worker, one that is killed leaves it behind, and with it the port: not for longer than this.
        args.extend(["-listen_timeout".to_owned(), LISTEN_TIME_MAX.as_micros().to_string()]);
        args.extend(words("-mode listener -pbkeylen 16 -passphrase"));
        args.push(passphrase.0.clone());
        args.extend(words(PROBE));
        args.extend(words("-f mpegts -i"));
        args.push(format!("srt://{}", self.listen));
        args.extend(words(TAKE));
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
            match self.start().await {
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

    async fn start(&self) -> io::Result<Running> {
        let mut command = Command::new(&self.ffmpeg.path);
        command.args(self.port.args(&self.passphrase)).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // As for encoders: who presses Ctrl-C ends the worker, which ends this.
        command.process_group(0);
        let mut child = start_tied(command).await?;
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

impl Drop for Running {
    /// The caller is told that this is over and calls again at once; of one that was killed it would learn when it had heard nothing for 5 s.
    fn drop(&mut self) {
        terminate(&self.child);
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
    use tokio::io::AsyncWriteExt as _;

    use super::*;
    use crate::flv::TagKind;

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

    /// 5 s with a key frame every 4 s, and 200 packets at the beginning of which nobody knows what they are.
    async fn media(ffmpeg: &Ffmpeg) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let unknown = folder.path().join("unknown");
        std::fs::write(&unknown, [1; 200_000]).unwrap();
        let mut command = Command::new(&ffmpeg.path);
        command.args("-loglevel error -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=sample_rate=48000 -f data -i".split(' '));
        command.arg(unknown).args("-map 0 -map 1 -map 2 -t 5 -c:v libx264 -preset ultrafast -g 120 -keyint_min 120".split(' '));
        command.args("-sc_threshold 0 -pix_fmt yuv420p -c:a aac -c:d copy -f mpegts pipe:1".split(' ')).stdin(Stdio::null());
        command.output().await.unwrap().stdout
    }

    #[tokio::test]
    async fn who_begins_inside_a_gop_is_taken_from_the_next_key_frame_on_and_not_later() {
        let ffmpeg = Ffmpeg::find(None).await.unwrap();
        let media = media(&ffmpeg).await;
        assert!(media.len() > 100_000);
        // Some of the GOP is over, and not all of what nobody knows; each packet has 188 bytes.
        let rest = media.get(media.len() / 6 / 188 * 188..).unwrap().to_vec();
        let mut command = Command::new(&ffmpeg.path);
        command.args("-hide_banner -loglevel quiet".split(' ')).args(PROBE.split(' ')).args("-f mpegts -i pipe:0".split(' '));
        command.args(TAKE.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        // The caller has not gone: nothing but what it has sent so far says that this is enough.
        let sends = tokio::spawn(async move {
            let _ = stdin.write_all(&rest).await;
            std::future::pending::<()>().await;
        });
        let mut tags = Splitter::default();
        let first = async {
            loop {
                match tags.next_tag().unwrap() {
                    Some(tag) if tag.kind == TagKind::Video && tag.body.get(1) == Some(&1) => break tag,
                    Some(_) => {}
                    None => assert!(stdout.read_buf(tags.buffer()).await.unwrap() > 0, "it has ended"),
                }
            }
        };
        let first = timeout(Duration::from_secs(60), first).await.unwrap();
        assert_eq!(first.body.first(), Some(&0x17), "it begins with a key frame");
        sends.abort();
    }
}
