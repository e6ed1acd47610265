//! A client of HTTP/2 that does one thing: many GETs of one path on one connection, and when the answer of each is over.
use std::time::Instant;

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// The largest window there is: nothing waits for an update.
const WINDOW: u32 = 0x7fff_ffff;

/// A connection with its requests sent.
pub struct Connection {
    stream: TcpStream,
    open: usize,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut out = PREFACE.to_vec();
        // INITIAL_WINDOW_SIZE, then the window of the connection.
        frame(&mut out, SETTINGS, 0, 0, &[&[0, 4][..], &WINDOW.to_be_bytes()].concat());
        frame(&mut out, WINDOW_UPDATE, 0, 0, &(WINDOW - 65_535).to_be_bytes());
        stream.write_all(&out).await?;
        Ok(Self { stream, open: 0 })
    }

    /// Asks `count` times for `path`.
    pub async fn ask(&mut self, address: &str, path: &str, count: usize) -> anyhow::Result<()> {
        // :method GET, :scheme http, :authority and :path as literals without a table.
        let mut head = vec![0x82, 0x86];
        literal(&mut head, 1, address.as_bytes());
        literal(&mut head, 4, path.as_bytes());
        let mut out = Vec::new();
        for n in 0..count {
            frame(&mut out, HEADERS, END_STREAM | END_HEADERS, 2 * n as u32 + 1, &head);
        }
        self.stream.write_all(&out).await?;
        self.open = count;
        Ok(())
    }

    /// Reads until every answer is over; the time of each, and the bytes of all bodies.
    pub async fn answers(mut self) -> anyhow::Result<(Vec<Instant>, u64)> {
        let (mut times, mut bytes) = (Vec::with_capacity(self.open), 0);
        let mut buffer = Vec::with_capacity(256 << 10);
        while times.len() < self.open {
            ensure!(self.stream.read_buf(&mut buffer).await? > 0, "the connection ended with {} answers open", self.open - times.len());
            let now = Instant::now();
            let mut at = 0;
            while let Some(head) = buffer.get(at..at + 9) {
                let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                let (kind, flags) = (head[3], head[4]);
                let Some(payload) = buffer.get(at + 9..at + 9 + len) else { break };
                match kind {
                    DATA => bytes += len as u64,
                    // An indexed :status 200 comes first.
                    HEADERS => ensure!(payload.first() == Some(&0x88), "an answer is not 200"),
                    RST_STREAM | GOAWAY => anyhow::bail!("the server gave up: frame {kind}"),
                    SETTINGS | PING if flags & ACK == 0 => {
                        let mut out = Vec::new();
                        frame(&mut out, kind, ACK, 0, if kind == PING { payload } else { &[] });
                        self.stream.write_all(&out).await.context("an acknowledgement")?;
                    }
                    _ => {}
                }
                if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                    times.push(now);
                }
                at += 9 + len;
            }
            buffer.drain(..at);
        }
        Ok((times, bytes))
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A field whose name is in the static table; values here are shorter than 254 bytes.
fn literal(out: &mut Vec<u8>, name: u8, value: &[u8]) {
    out.push(name);
    match value.len() {
        len @ 0..127 => out.push(len as u8),
        len => out.extend_from_slice(&[127, (len - 127) as u8]),
    }
    out.extend_from_slice(value);
}
