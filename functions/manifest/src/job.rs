use crate::{Answer, Request, State};

/// One request on its way to an answer.
#[derive(Debug)]
pub struct Job {
    request: Request,
}

/// What a job wants next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Read this object and give what came of it to [`Job::handle`].
    Fetch {
        /// The object.
        key: String,
        /// First and last byte, both inclusive, as in a Range header (the object may be shorter); `None`: all of it.
        range: Option<(u64, u64)>,
    },
    /// The job is done.
    Answer(Answer),
}

/// What came of a fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fetched {
    /// The bytes (status 200 or 206).
    Got(Vec<u8>),
    /// There is no such object (404; 416 too).
    Missing,
    /// Anything else: the store did not answer, or not properly.
    Failed,
}

impl Job {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self { request }
    }

    /// Says what comes next; until [`Self::handle`] is called the answer stays the same.
    pub fn poll(&mut self, _state: &mut State, _now_utc_ms: u64) -> Output {
        let body = format!("{} is not an address here\n", self.request.path);
        Output::Answer(Answer::Respond { status: 404, headers: Vec::new(), body })
    }

    /// Takes what came of the fetch that [`Self::poll`] asked for.
    pub fn handle(&mut self, _state: &mut State, _now_utc_ms: u64, _fetched: Fetched) {}
}
