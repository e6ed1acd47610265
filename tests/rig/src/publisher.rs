//! A small RTMP publisher that says when each message left, and that can be told to misbehave.
//!
//! ffmpeg pushes well, but nobody knows when it sent a frame, and it always starts at timestamp 0.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// A tag of an FLV file: what RTMP carries as one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    pub kind: TagKind,
    pub timestamp_ms: u32,
    pub body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TagKind {
    Audio = 8,
    Video = 9,
    Script = 18,
}

/// How the publisher writes.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Added to every timestamp, modulo 2^32.
    pub timestamp_offset: u32,
    /// Payload bytes of a chunk, announced to the server.
    pub chunk_size: u32,
    /// The application in the address.
    pub app: &'static str,
}

impl Default for Style {
    fn default() -> Self {
        Self { timestamp_offset: 0, chunk_size: 4096, app: "live" }
    }
}

#[derive(Debug)]
pub enum PublishError {
    /// The server said no, with this NetStream status code.
    Refused(String),
    Io(io::Error),
    /// The server said something that is not RTMP.
    Protocol(&'static str),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(code) => write!(f, "refused with {code}"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Protocol(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for PublishError {}

impl From<io::Error> for PublishError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A publish that the server has accepted.
pub struct Publisher {
    socket: TcpStream,
    stream_id: u32,
    style: Style,
}

const ANSWER_LIMIT: Duration = Duration::from_secs(10);

impl Publisher {
    /// Connects and publishes `key`.
    pub fn connect(server: SocketAddr, key: &str, style: Style) -> Result<Self, PublishError> {
        let socket = TcpStream::connect(server)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut publisher = Self { socket, stream_id: 0, style };
        publisher.handshake()?;
        publisher.message(2, 1, 0, 0, &style.chunk_size.to_be_bytes())?;
        let url = format!("rtmp://{server}/{}", style.app);
        let mut connect = Amf::default();
        connect.text("connect").number(1.0).object(&[
            ("app", style.app),
            ("type", "nonprivate"),
            ("flashVer", "FMLE/3.0"),
            ("tcUrl", &url),
        ]);
        publisher.message(3, 20, 0, 0, &connect.0)?;
        let mut answers = Answers::default();
        publisher.wait_for(&mut answers, |answer| answer.is("_result", 1.0))?;
        let mut fc_publish = Amf::default();
        fc_publish.text("FCPublish").number(3.0).null().text(key);
        publisher.message(3, 20, 0, 0, &fc_publish.0)?;
        let mut create = Amf::default();
        create.text("createStream").number(4.0).null();
        publisher.message(3, 20, 0, 0, &create.0)?;
        let created = publisher.wait_for(&mut answers, |answer| answer.is("_result", 4.0))?;
        publisher.stream_id = created.last_number as u32;
        let mut publish = Amf::default();
        publish.text("publish").number(5.0).null().text(key).text("live");
        let stream_id = publisher.stream_id;
        publisher.message(4, 20, 0, stream_id, &publish.0)?;
        let status = publisher.wait_for(&mut answers, |answer| answer.name == "onStatus")?;
        if status.code != "NetStream.Publish.Start" {
            return Err(PublishError::Refused(status.code));
        }
        Ok(publisher)
    }

    fn handshake(&mut self) -> Result<(), PublishError> {
        let mut hello = vec![0; 1537];
        hello[0] = 3;
        hello[9..].iter_mut().enumerate().for_each(|(at, byte)| *byte = (at * 31) as u8);
        self.socket.write_all(&hello)?;
        let mut reply = vec![0; 1 + 1536 * 2];
        self.socket.read_exact(&mut reply)?;
        if reply[0] != 3 {
            return Err(PublishError::Protocol("the server does not speak RTMP version 3"));
        }
        self.socket.write_all(&reply[1..1537])?;
        Ok(())
    }

    fn wait_for(&mut self, answers: &mut Answers, wanted: impl Fn(&Answer) -> bool) -> Result<Answer, PublishError> {
        loop {
            let answer = answers.next(&mut self.socket)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if answer.name == "_error" || answer.code.contains("Bad") || answer.code.contains("Denied") {
                return Err(PublishError::Refused(answer.code));
            }
        }
    }

    /// Sends one tag; when this returns, the kernel has it.
    pub fn send(&mut self, tag: &Tag) -> io::Result<()> {
        let timestamp = tag.timestamp_ms.wrapping_add(self.style.timestamp_offset);
        let chunk_stream = match tag.kind {
            TagKind::Audio => 5,
            TagKind::Video => 6,
            TagKind::Script => 4,
        };
        if tag.kind == TagKind::Script {
            let mut body = Amf::default();
            body.text("@setDataFrame");
            body.0.extend_from_slice(&tag.body);
            return self.message(chunk_stream, 18, timestamp, self.stream_id, &body.0);
        }
        self.message(chunk_stream, tag.kind as u8, timestamp, self.stream_id, &tag.body)
    }

    /// Sends tags at the pace of their timestamps; returns when each of them left.
    pub fn play(&mut self, tags: &[Tag]) -> io::Result<Vec<Instant>> {
        let begun = Instant::now();
        let first = tags.first().map_or(0, |tag| tag.timestamp_ms);
        let mut left = Vec::with_capacity(tags.len());
        for tag in tags {
            let due = begun + Duration::from_millis(u64::from(tag.timestamp_ms.saturating_sub(first)));
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.send(tag)?;
            left.push(Instant::now());
        }
        Ok(left)
    }

    /// Ends the publish as an encoder does when its user presses stop.
    pub fn finish(mut self) -> io::Result<()> {
        let mut delete = Amf::default();
        delete.text("deleteStream").number(6.0).null().number(f64::from(self.stream_id));
        self.message(3, 20, 0, 0, &delete.0)?;
        self.socket.shutdown(Shutdown::Write)?;
        // The server closes when it has understood.
        let _ = io::copy(&mut self.socket, &mut io::sink());
        Ok(())
    }

    /// Sends bytes that no publisher sends; what the server thinks of them shows in [`closed_within`].
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// The connection itself.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// Drops the connection in the middle, as a network does.
    pub fn vanish(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn message(&mut self, chunk_stream: u8, kind: u8, timestamp: u32, stream_id: u32, body: &[u8]) -> io::Result<()> {
        let extended = (timestamp >= 0xFF_FFFF).then(|| timestamp.to_be_bytes());
        let mut out = vec![chunk_stream];
        out.extend_from_slice(&timestamp.min(0xFF_FFFF).to_be_bytes()[1..]);
        out.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
        out.push(kind);
        out.extend_from_slice(&stream_id.to_le_bytes());
        out.extend(extended.iter().flatten());
        let size = if kind == 1 { 128 } else { self.style.chunk_size as usize };
        for (at, chunk) in body.chunks(size).enumerate() {
            if at > 0 {
                out.push(0xC0 | chunk_stream);
                out.extend(extended.iter().flatten());
            }
            out.extend_from_slice(chunk);
        }
        self.socket.write_all(&out)
    }
}

/// Whether the server closes a connection within this time, whatever it says before.
pub fn closed_within(socket: &mut TcpStream, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut heard = [0; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match socket.read(&mut heard) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}

/// Reads the tags of an FLV file.
pub fn read_flv(file: &[u8]) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = file.get(13..).unwrap_or_default();
    while let Some((head, body)) = rest.split_at_checked(11) {
        let number = |at: usize| (usize::from(head[at]) << 16) | (usize::from(head[at + 1]) << 8) | usize::from(head[at + 2]);
        let len = number(1);
        let timestamp_ms = number(4) as u32 | (u32::from(head[7]) << 24);
        let kind = match head[0] & 31 {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            18 => Some(TagKind::Script),
            _ => None,
        };
        let Some(payload) = body.get(..len) else { break };
        tags.extend(kind.map(|kind| Tag { kind, timestamp_ms, body: payload.to_vec() }));
        rest = body.get(len + 4..).unwrap_or_default();
    }
    tags
}

#[derive(Default)]
struct Amf(Vec<u8>);

impl Amf {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(2);
        self.bare(text)
    }

    fn bare(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(&(text.len() as u16).to_be_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn number(&mut self, number: f64) -> &mut Self {
        self.0.push(0);
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    fn null(&mut self) -> &mut Self {
        self.0.push(5);
        self
    }

    fn object(&mut self, fields: &[(&str, &str)]) -> &mut Self {
        self.0.push(3);
        for (name, value) in fields {
            self.bare(name).text(value);
        }
        self.0.extend_from_slice(&[0, 0, 9]);
        self
    }
}

/// The server's chunks, put together to command messages.
struct Answers {
    chunk_size: usize,
    streams: Vec<Partial>,
}

impl Default for Answers {
    fn default() -> Self {
        // Chunk stream ids that fit the one-byte header.
        Self { chunk_size: 128, streams: vec![Partial::default(); 64] }
    }
}

#[derive(Default, Clone)]
struct Partial {
    len: usize,
    kind: u8,
    body: Vec<u8>,
}

#[derive(Default)]
struct Answer {
    name: String,
    number: f64,
    last_number: f64,
    code: String,
}

impl Answer {
    fn is(&self, name: &str, number: f64) -> bool {
        self.name == name && (self.number - number).abs() < 0.5
    }
}

impl Answers {
    fn next(&mut self, socket: &mut TcpStream) -> Result<Answer, PublishError> {
        loop {
            let mut basic = [0];
            socket.read_exact(&mut basic)?;
            let (format, id) = (basic[0] >> 6, usize::from(basic[0] & 63));
            let mut head = [0; 11];
            let size = [11, 7, 3, 0][usize::from(format)];
            socket.read_exact(&mut head[..size])?;
            if size >= 3 && head[..3] == [0xFF; 3] {
                socket.read_exact(&mut [0; 4])?;
            }
            let partial = &mut self.streams[id];
            if size >= 7 {
                partial.len = (usize::from(head[3]) << 16) | (usize::from(head[4]) << 8) | usize::from(head[5]);
                partial.kind = head[6];
            }
            let take = (partial.len - partial.body.len()).min(self.chunk_size.max(128));
            let mut chunk = vec![0; take];
            socket.read_exact(&mut chunk)?;
            partial.body.extend_from_slice(&chunk);
            if partial.body.len() < partial.len {
                continue;
            }
            let body = std::mem::take(&mut partial.body);
            match (partial.kind, body.first_chunk::<4>()) {
                (1, Some(size)) => self.chunk_size = u32::from_be_bytes(*size) as usize,
                (20, _) => return Ok(read_command(&body)),
                _ => {}
            }
        }
    }
}

/// The few things of a command that a publisher looks at.
fn read_command(mut body: &[u8]) -> Answer {
    let mut answer = Answer::default();
    let mut numbers = 0;
    let text = |body: &mut &[u8]| -> Option<String> {
        let len = usize::from(u16::from_be_bytes(*body.first_chunk()?));
        let text = String::from_utf8_lossy(body.get(2..2 + len)?).into_owned();
        *body = &body[2 + len..];
        Some(text)
    };
    let mut field = String::new();
    let mut in_object = false;
    while !body.is_empty() {
        if in_object {
            let Some(name) = text(&mut body) else { break };
            field = name;
            if field.is_empty() {
                in_object = false;
                body = body.get(1..).unwrap_or_default();
                continue;
            }
        }
        let Some((kind, rest)) = body.split_first() else { break };
        body = rest;
        match kind {
            0 => {
                let Some(bytes) = body.first_chunk::<8>() else { break };
                body = &body[8..];
                let number = f64::from_be_bytes(*bytes);
                if !in_object {
                    if numbers == 0 {
                        answer.number = number;
                    }
                    answer.last_number = number;
                    numbers += 1;
                }
            }
            1 => body = body.get(1..).unwrap_or_default(),
            2 => {
                let Some(value) = text(&mut body) else { break };
                if in_object && field == "code" {
                    answer.code = value;
                } else if !in_object && answer.name.is_empty() {
                    answer.name = value;
                }
            }
            3 => in_object = true,
            8 => {
                body = body.get(4..).unwrap_or_default();
                in_object = true;
            }
            _ => {}
        }
    }
    answer
}
