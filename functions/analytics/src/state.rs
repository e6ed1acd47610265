use alloc::{string::String, vec::Vec};

use tidegate_beacon::Collector;
use tidegate_function::World;
use tidegate_stream::{InstanceId, StreamId};

/// What the requests of one instance share: what it has counted, and what it knows of salts and streams.
#[derive(Debug, Default)]
pub struct State {
    pub(crate) collector: Option<Collector>,
    /// The newest salt that is known, with its day.
    pub(crate) salt: Option<(u64, [u8; 32])>,
    /// When a salt could not be had: not each report has to try.
    pub(crate) saltless_ms: Option<u64>,
    /// Streams that were looked for, in order, with the time and whether they are there.
    streams: Vec<(StreamId, u64, bool)>,
}

/// How long it is believed that a stream is there, or that it is not, in ms.
const THERE_MS: u64 = 60_000;
const MISSING_MS: u64 = 5_000;
const STREAMS_MAX: usize = 10_000;
/// How long nobody is told apart after the store did not give a salt, in ms.
const SALTLESS_MS: u64 = 10_000;

impl State {
    /// Has counted nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn collector(&mut self, edge: &str, world: &World) -> &mut Collector {
        self.collector.get_or_insert_with(|| {
            let [a, b, c, d, e, f, g, h, ..] = world.random;
            let edge: String = edge.chars().filter(|letter| matches!(letter, '!'..='~')).take(40).collect();
            Collector::new(InstanceId(u64::from_le_bytes([a, b, c, d, e, f, g, h])), edge)
        })
    }

    pub(crate) fn is_there(&self, stream: &StreamId, now_ms: u64) -> Option<bool> {
        let at = self.streams.binary_search_by(|(known, ..)| known.cmp(stream)).ok()?;
        let (_, seen_ms, there) = self.streams.get(at)?;
        let fresh = now_ms.saturating_sub(*seen_ms) < if *there { THERE_MS } else { MISSING_MS };
        fresh.then_some(*there)
    }

    pub(crate) fn remember(&mut self, stream: StreamId, there: bool, now_ms: u64) {
        if self.streams.len() >= STREAMS_MAX {
            self.streams.clear();
        }
        match self.streams.binary_search_by(|(known, ..)| known.cmp(&stream)) {
            Ok(at) => {
                if let Some((_, seen_ms, known)) = self.streams.get_mut(at) {
                    (*seen_ms, *known) = (now_ms, there);
                }
            }
            Err(at) => self.streams.insert(at, (stream, now_ms, there)),
        }
    }

    /// Whether a salt has to be fetched for this day.
    pub(crate) fn needs_salt(&self, day: u64, now_ms: u64) -> bool {
        let tried = self.saltless_ms.is_some_and(|since_ms| now_ms.saturating_sub(since_ms) < SALTLESS_MS);
        self.salt.is_none_or(|(known, _)| known != day) && !tried
    }
}
