use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use rtmp_runtime::{
    RtmpError,
    amf0::{Amf0Value, Command},
    chunk::{ChunkWriter, Message},
    message::msg_type,
    server::{DEFAULT_CHUNK_SIZE, ServerEvent, ServerSession},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::flv::{FlvError, Splitter, Tag};

/// One TCP connection of a publisher.
pub(crate) struct Connection {
    stream: TcpStream,
    session: ServerSession,
    input: BytesMut,
    output: BytesMut,
    tags: Splitter,
    said_end: bool,
    received: usize,
    last_bytes: Instant,
    silence_max: Duration,
}

/// What a publisher asks for; the answer is held until [`Connection::accept`] or [`Connection::refuse`].
pub(crate) struct Publish {
    /// The secret. It is hashed and never logged.
    pub(crate) stream_key: String,
    stream_id: u32,
    reply: Vec<u8>,
}

/// How a connection ends.
pub(crate) enum Ended {
    /// The publisher said that it is done.
    Said,
    /// Anything else.
    Lost(String),
}

/// Why a connection does not come to a publish.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Rtmp(#[from] RtmpError),
    #[error("the connection was closed")]
    Closed,
    #[error("more than {HANDSHAKE_BYTES_MAX} bytes came before a publish")]
    TooMuch,
    #[error("the address names the application `{0}`: the one there is is `{APP}`")]
    App(String),
}

/// The only application there is.
const APP: &str = "live";
/// What an unknown peer may send: handshake and commands are about 4 kB. It also bounds what AMF can grow to in memory.
const HANDSHAKE_BYTES_MAX: usize = 64 * 1024;
/// One read: about 20 ms of a 25 Mbit/s push.
const READ_BYTES: usize = 64 * 1024;
/// How long a peer may take to read what we said last, and to close.
const FAREWELL_TIME_MAX: Duration = Duration::from_secs(1);
/// Of each direction until its sender announces another (RTMP 1.0, 5.4.1).
const INITIAL_CHUNK_SIZE: u32 = 128;
/// By convention commands travel on this chunk stream.
const COMMAND_CHUNK_STREAM: u32 = 3;

impl Connection {
    pub(crate) fn new(stream: TcpStream, silence_max: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            session: ServerSession::with_defaults(),
            input: BytesMut::new(),
            output: BytesMut::new(),
            tags: Splitter::default(),
            said_end: false,
            received: 0,
            last_bytes: Instant::now(),
            silence_max,
        })
    }

    /// Goes on until the peer wants to publish.
    pub(crate) async fn handshake(&mut self) -> Result<Publish, HandshakeError> {
        loop {
            self.write_all().await?;
            self.input.clear();
            self.input.reserve(READ_BYTES);
            let len = self.stream.read_buf(&mut self.input).await?;
            self.received += len;
            if len == 0 {
                return Err(HandshakeError::Closed);
            }
            if self.received > HANDSHAKE_BYTES_MAX {
                return Err(HandshakeError::TooMuch);
            }
            let (reply, events) = self.session.handle_data(&self.input)?;
            let mut publish = None;
            for event in events {
                match event {
                    ServerEvent::Connected { app } => check_app(&app)?,
                    ServerEvent::Publish { stream_key, stream_id, .. } => publish = Some((stream_key, stream_id)),
                    ServerEvent::Media { flv } => self.tags.push(&flv),
                    ServerEvent::Eof => return Err(HandshakeError::Closed),
                    _ => {}
                }
            }
            if let Some((name, stream_id)) = publish {
                self.last_bytes = Instant::now();
                // What follows a question mark is for the server that an encoder was made for.
                let stream_key = name.split('?').next().unwrap_or_default().to_owned();
                return Ok(Publish { stream_key, stream_id, reply });
            }
            self.output.extend_from_slice(&reply);
        }
    }

    /// Sends the answer that the publisher waits for.
    pub(crate) async fn accept(&mut self, publish: Publish) -> io::Result<()> {
        self.output.extend_from_slice(&publish.reply);
        timeout(self.silence_max, self.write_all()).await?
    }

    /// Says why a publish may not be, and closes.
    pub(crate) async fn refuse(self, publish: &Publish, reason: &str) {
        self.bid_farewell(bad_name(publish.stream_id, reason)).await;
    }

    /// Says that there is no such application, and closes.
    pub(crate) async fn refuse_app(self) {
        self.bid_farewell(invalid_app()).await;
    }

    async fn bid_farewell(mut self, message: Result<Vec<u8>, RtmpError>) {
        let farewell = async {
            self.output.extend_from_slice(&message?);
            self.write_all().await?;
            Ok::<_, HandshakeError>(())
        };
        let _ = timeout(FAREWELL_TIME_MAX, farewell).await;
        self.linger().await;
    }

    /// Closes when the peer has: closing with unread bytes would reset the connection, and the peer might never see the
    /// answer, or take the end of its own stream for a failure.
    pub(crate) async fn linger(mut self) {
        let read = async {
            self.stream.shutdown().await?;
            self.input.clear();
            while self.stream.read_buf(&mut self.input).await? > 0 {
                self.input.clear();
            }
            io::Result::Ok(())
        };
        let _ = timeout(FAREWELL_TIME_MAX, read).await;
    }

    /// The next tag. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Tag, Ended> {
        loop {
            if let Some(tag) = self.tags.next_tag().map_err(lost)? {
                return Ok(tag);
            }
            if self.said_end {
                return Err(Ended::Said);
            }
            let until = self.last_bytes + self.silence_max;
            let silent = |_| Ended::Lost(format!("nothing came for {} s", self.silence_max.as_secs()));
            while self.output.has_remaining() {
                timeout_at(until, self.stream.write_buf(&mut self.output)).await.map_err(silent)?.map_err(lost)?;
            }
            self.input.clear();
            self.input.reserve(READ_BYTES);
            let len = timeout_at(until, self.stream.read_buf(&mut self.input)).await.map_err(silent)?.map_err(lost)?;
            if len == 0 {
                return Err(Ended::Lost("the connection was closed".into()));
            }
            self.last_bytes = Instant::now();
            let (reply, events) = self.session.handle_data(&self.input).map_err(lost)?;
            self.output.extend_from_slice(&reply);
            for event in events {
                match event {
                    ServerEvent::Media { flv } => self.tags.push(&flv),
                    ServerEvent::Eof => {
                        self.said_end = true;
                        break;
                    }
                    _ => {}
                }
            }
        }
    }

    async fn write_all(&mut self) -> io::Result<()> {
        while self.output.has_remaining() {
            self.stream.write_buf(&mut self.output).await?;
        }
        Ok(())
    }
}

fn lost(error: impl std::error::Error) -> Ended {
    Ended::Lost(error.to_string())
}

impl From<FlvError> for Ended {
    fn from(error: FlvError) -> Self {
        lost(error)
    }
}

fn check_app(app: &str) -> Result<(), HandshakeError> {
    // Some encoders leave a slash or a query behind the application.
    match app.split('?').next().unwrap_or_default().trim_matches('/') {
        APP => Ok(()),
        // Cut, because it goes to the log.
        other => Err(HandshakeError::App(other.chars().take(32).collect())),
    }
}

/// `onStatus` with the one code that every encoder shows as a wrong stream key.
fn bad_name(stream_id: u32, reason: &str) -> Result<Vec<u8>, RtmpError> {
    let command = Command {
        name: "onStatus".into(),
        transaction_id: 0.0,
        arguments: vec![Amf0Value::Null, error("NetStream.Publish.BadName", reason)],
    };
    message(stream_id, DEFAULT_CHUNK_SIZE, &command)
}

/// The answer to a `connect`, which is always the first transaction (RTMP 1.0, 7.2.1.1). No chunk size has been announced.
fn invalid_app() -> Result<Vec<u8>, RtmpError> {
    let reason = format!("There is one application here: {APP}.");
    let command = Command {
        name: "_error".into(),
        transaction_id: 1.0,
        arguments: vec![Amf0Value::Null, error("NetConnection.Connect.InvalidApp", &reason)],
    };
    message(0, INITIAL_CHUNK_SIZE, &command)
}

fn error(code: &str, description: &str) -> Amf0Value {
    let pairs = [("level", "error"), ("code", code), ("description", description)];
    Amf0Value::Object(pairs.map(|(name, value)| (name.into(), Amf0Value::String(value.into()))).into())
}

fn message(stream_id: u32, chunk_size: u32, command: &Command) -> Result<Vec<u8>, RtmpError> {
    let mut writer = ChunkWriter::new();
    writer.set_chunk_size(chunk_size);
    writer.write(&Message {
        chunk_stream_id: COMMAND_CHUNK_STREAM,
        timestamp: 0,
        message_type_id: msg_type::COMMAND_AMF0,
        message_stream_id: stream_id,
        payload: command.to_body()?,
    })
}
