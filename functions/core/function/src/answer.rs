use alloc::{borrow::Cow, string::String, vec::Vec};

/// A response header: name in lower case, value.
pub type Header = (&'static str, Cow<'static, str>);

/// What a request comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Send this. For HEAD the adapter leaves out the body.
    Respond {
        /// The status code.
        status: u16,
        /// The headers, without content-length.
        headers: Vec<Header>,
        /// The body.
        body: Vec<u8>,
    },
    /// Ask again with [`Waited::There`](crate::Waited::There) when the object exists, or with
    /// [`Waited::Timeout`](crate::Waited::Timeout) when it did not come in time.
    Wait {
        /// The object.
        key: String,
        /// It is expected in this many ms.
        expect_ms: u64,
        /// Wait no longer than this many ms.
        timeout_ms: u64,
    },
    /// Send these pieces one after the other as a 200 (or a 206 of a range of them). Where the first object does not exist: 404.
    Send {
        /// The pieces; never none.
        pieces: Vec<Piece>,
        /// The headers, without content-length.
        headers: Vec<Header>,
    },
}

/// A range of bytes of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The object.
    pub key: String,
    /// First and last byte, both inclusive; `None`: all of it.
    pub range: Option<(u64, u64)>,
}
