//! A blocking HTTP/1.1 client on one kept connection, so that a test knows when the answer arrived.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

pub struct Client {
    server: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

const ANSWER_LIMIT: Duration = Duration::from_secs(20);

impl Client {
    pub fn new(server: SocketAddr) -> Self {
        Self { server, connection: None }
    }

    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.request("GET", path, &[])
    }

    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
        let kept = self.connection.is_some();
        match self.attempt(method, path, headers) {
            // The server may have closed a kept connection in the meantime; a fresh one tells.
            Err(_) if kept => {
                self.connection = None;
                self.attempt(method, path, headers)
            }
            answer => answer,
        }
    }

    fn attempt(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(kept) => kept,
            None => {
                let socket = TcpStream::connect(self.server)?;
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(ANSWER_LIMIT))?;
                BufReader::new(socket)
            }
        };
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n", self.server);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        connection.get_mut().write_all(request.as_bytes())?;
        let response = read_response(&mut connection, method == "HEAD")?;
        if response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

fn read_response(connection: &mut BufReader<TcpStream>, head: bool) -> io::Result<Response> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_string());
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| invalid("no status line"))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        connection.read_line(&mut line)?;
        let field = line.trim_end();
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').ok_or_else(|| invalid("no header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if head || matches!(status, 204 | 304) {
        return Ok(response);
    }
    if response.header("transfer-encoding") == Some("chunked") {
        loop {
            line.clear();
            connection.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| invalid("no chunk size"))?;
            let mut chunk = vec![0; size + 2];
            connection.read_exact(&mut chunk)?;
            if size == 0 {
                return Ok(response);
            }
            response.body.extend_from_slice(&chunk[..size]);
        }
    }
    let len = response.header("content-length").and_then(|len| len.parse().ok());
    match len {
        Some(len) => {
            response.body = vec![0; len];
            connection.read_exact(&mut response.body)?;
        }
        None => {
            connection.read_to_end(&mut response.body)?;
        }
    }
    Ok(response)
}
