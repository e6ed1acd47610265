use alloc::{string::String, vec::Vec};

/// A request that the validator wants made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Comes back with what came of it.
    pub id: ProbeId,
    /// Where.
    pub url: String,
    /// How.
    pub method: Method,
    /// `Accept-Encoding: gzip`.
    pub gzip: bool,
    /// First byte and length of a Range header.
    pub range: Option<(u64, u64)>,
    /// HTTP/2 whatever the scheme says (with prior knowledge over plain TCP).
    pub http2: bool,
    /// Give up after this long.
    pub timeout_us: u64,
}

/// Names a probe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct ProbeId(pub u64);

/// A request method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// The body is wanted.
    Get,
    /// Only the head.
    Head,
}

/// What came of a probe. Times are in us on the clock of `handle`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observation {
    /// Which.
    pub probe: ProbeId,
    /// When the request left.
    pub sent_us: u64,
    /// When the first byte of the body was there; without a body, the head.
    pub first_us: u64,
    /// When the last byte was there.
    pub done_us: u64,
    /// The answer, or why there is none.
    pub result: Result<Answer, Failure>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// It came over HTTP/2 or later.
    pub http2: bool,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// It was sent from elsewhere: the address after redirects.
    pub redirected: Option<String>,
}

impl Answer {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Failure {
    /// No connection, or it broke; the words say how.
    Connection(String),
    /// Nothing within the time.
    Timeout,
    /// More bytes than are taken.
    TooLong,
}
