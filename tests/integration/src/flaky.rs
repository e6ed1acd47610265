//! A proxy before an S3 server that can be told to be slow, or to have no time.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::S3;

/// A store with moods; it ends with the test process.
pub struct Flaky {
    /// The same bucket, through the proxy.
    pub s3: S3,
    mood: Arc<Mutex<Mood>>,
}

/// What happens to the requests whose path contains `about`.
#[derive(Clone, Debug, Default)]
struct Mood {
    about: String,
    trouble: Trouble,
    troubled: u64,
}

/// What can be wrong with a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// 503 SlowDown.
    Busy,
    /// This status with this code.
    Says(u16, &'static str),
    /// Every answer takes this much longer.
    Slow(Duration),
    /// The object is written, and the answer never comes: the connection is closed in its place.
    AnswerLost,
    /// Connections are closed without an answer.
    Away,
    /// So many of a hundred get 503 SlowDown, and every write takes this much longer.
    Rough(u64, Duration),
}

/// Heads of requests and answers are a few kB.
const HEAD_BYTES_MAX: usize = 64 << 10;

impl Flaky {
    /// A proxy before this server, in a good mood.
    pub fn before(s3: &S3) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream: SocketAddr = s3.endpoint.trim_start_matches("http://").parse().unwrap();
        let mood = Arc::new(Mutex::new(Mood::default()));
        let shared = Arc::clone(&mood);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mood = Arc::clone(&shared);
                thread::spawn(move || serve(client, upstream, &mood));
            }
        });
        Self { s3: S3 { endpoint: format!("http://127.0.0.1:{port}"), ..s3.clone() }, mood }
    }

    /// From now on, requests for paths that contain `about` have this trouble.
    pub fn set(&self, about: &str, trouble: Trouble) {
        let mut mood = self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        (mood.about, mood.trouble) = (about.to_owned(), trouble);
    }

    /// How many requests have had trouble.
    pub fn troubled(&self) -> u64 {
        self.mood.lock().unwrap_or_else(PoisonError::into_inner).troubled
    }
}

/// Passes requests on, one after another, until a side closes.
fn serve(client: TcpStream, upstream: SocketAddr, mood: &Mutex<Mood>) -> Option<()> {
    let server = TcpStream::connect(upstream).ok()?;
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let (mut from_client, mut client) = (BufReader::new(client.try_clone().ok()?), client);
    let (mut from_server, mut server) = (BufReader::new(server.try_clone().ok()?), server);
    loop {
        let request = read_message(&mut from_client).ok()?;
        let count;
        let trouble = {
            let mut mood = mood.lock().unwrap_or_else(PoisonError::into_inner);
            let path = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let concerned = String::from_utf8_lossy(path).contains(&mood.about);
            let trouble = if concerned { mood.trouble } else { Trouble::None };
            mood.troubled += u64::from(trouble != Trouble::None);
            count = mood.troubled;
            trouble
        };
        // Spread over all requests, and the same in every run.
        let is_busy = matches!(trouble, Trouble::Rough(percent, _) if count * 37 % 100 < percent);
        match trouble {
            Trouble::None | Trouble::AnswerLost => {}
            Trouble::Away => return None,
            Trouble::Rough(_, by) if request.starts_with(b"PUT") && !is_busy => thread::sleep(by),
            Trouble::Rough(..) if !is_busy => {}
            Trouble::Slow(by) => thread::sleep(by),
            Trouble::Busy | Trouble::Rough(..) | Trouble::Says(..) => {
                let (status, code) = if let Trouble::Says(status, code) = trouble { (status, code) } else { (503, "SlowDown") };
                let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>The store has no time.</Message></Error>");
                let len = body.len();
                write!(client, "HTTP/1.1 {status} No\r\ncontent-type: application/xml\r\ncontent-length: {len}\r\n\r\n{body}").ok()?;
                continue;
            }
        }
        server.write_all(&request).ok()?;
        let answer = read_message(&mut from_server).ok()?;
        if trouble == Trouble::AnswerLost {
            return None;
        }
        client.write_all(&answer).ok()?;
    }
}

/// A request or an answer with its body, as it came.
fn read_message(from: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut length = 0;
    let mut chunked = false;
    loop {
        let at = message.len();
        if from.read_until(b'\n', &mut message)? == 0 || message.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(message.get(at..).unwrap_or_default()).trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    if !chunked {
        from.take(length).read_to_end(&mut message)?;
        return Ok(message);
    }
    loop {
        let mut size = Vec::new();
        from.read_until(b'\n', &mut size)?;
        let len = u64::from_str_radix(String::from_utf8_lossy(&size).trim(), 16).map_err(io::Error::other)?;
        message.extend_from_slice(&size);
        from.take(len + 2).read_to_end(&mut message)?;
        if len == 0 {
            return Ok(message);
        }
    }
}
