use alloc::collections::VecDeque;

use crate::{Config, Input, Output};

/// Turns frames into objects. One for each session.
#[derive(Debug)]
pub struct Packager {
    config: Config,
    outputs: VecDeque<Output>,
}

/// Why an input cannot be taken; the packager stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such rendition.
    #[error("there is no rendition {0} in this session")]
    Rendition(usize),
    /// An audio configuration for video, or the reverse.
    #[error("the configuration for rendition {0} is of another kind of media")]
    Kind(usize),
    /// The session is over.
    #[error("the session has ended")]
    Ended,
}

impl Packager {
    /// Starts a session; nothing is written before the first media.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, outputs: VecDeque::new() }
    }

    /// Takes what happened at `now_utc_us` (us since 1970).
    pub fn handle(&mut self, now_utc_us: i64, input: Input) -> Result<(), Error> {
        let _ = (now_utc_us, input, &self.config);
        Ok(())
    }

    /// What is to be done next; drain it after each [`Self::handle`].
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
}
