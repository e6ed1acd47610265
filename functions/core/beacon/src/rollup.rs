use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    bytes::{Broken, Reader, Version, put, put_text},
    window::Window,
};

/// The windows of one stream in a longer stretch, as an object: the minutes of an hour, the hours of a day.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rollup {
    /// By minutes or hours since 1970.
    pub windows: BTreeMap<u64, Window>,
    /// Edges that stopped without a word.
    pub lost: Vec<Lost>,
}

/// What an edge counted in this time is missing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Lost {
    /// The host.
    pub edge: String,
    /// From then on, in ms since 1970.
    pub from_utc_ms: u64,
    /// Until then.
    pub to_utc_ms: u64,
}

/// Minutes whose values of dimensions are kept together in the end.
pub const BLOCK: u64 = 5;
const EDGE_BYTES_MAX: usize = 64;
/// Losses that are told of; more is an outage.
const LOST_MAX: usize = 64;

impl Rollup {
    /// Adds a loss, once.
    pub fn add_lost(&mut self, lost: &Lost) {
        if let Err(at) = self.lost.binary_search(lost)
            && self.lost.len() < LOST_MAX
        {
            self.lost.insert(at, lost.clone());
        }
    }

    /// Adds the values of dimensions of minutes before this one up by [`BLOCK`], in the first minute of each: an hour of a stream with
    /// hundreds of places would have megabytes else. Whether anything has changed.
    pub fn fold(&mut self, before: u64) -> bool {
        let mut changed = false;
        let mut sum: Option<(u64, u64)> = None;
        let minutes: Vec<u64> = self.windows.range(..before / BLOCK * BLOCK).map(|(minute, _)| *minute).collect();
        for minute in minutes {
            let into = sum.filter(|(block, _)| *block == minute / BLOCK).map(|(_, into)| into);
            let Some(into) = into else {
                sum = Some((minute / BLOCK, minute));
                continue;
            };
            let Some(window) = self.windows.get_mut(&minute) else { continue };
            let by = core::mem::take(&mut window.by);
            if by.iter().any(|values| !values.is_empty()) {
                changed = true;
                if let Some(sum) = self.windows.get_mut(&into) {
                    sum.merge(&Window { by, ..Window::default() });
                }
            }
        }
        changed
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::from([Version::NEWEST as u8]);
        put(&mut out, self.lost.len() as u64);
        for Lost { edge, from_utc_ms, to_utc_ms } in &self.lost {
            put_text(&mut out, edge);
            put(&mut out, *from_utc_ms);
            put(&mut out, *to_utc_ms);
        }
        put(&mut out, self.windows.len() as u64);
        let mut before = 0;
        for (at, window) in &self.windows {
            put(&mut out, at - before);
            window.write(&mut out);
            before = *at;
        }
        out
    }

    /// Reads its bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, Broken> {
        let mut reader = Reader(bytes);
        let version = Version::read(&mut reader)?;
        let mut rollup = Self::default();
        for _ in 0..reader.count()? {
            let edge = reader.word(EDGE_BYTES_MAX)?;
            let (from_utc_ms, to_utc_ms) = (reader.number()?, reader.number()?);
            rollup.add_lost(&Lost { edge, from_utc_ms, to_utc_ms });
        }
        let mut at = 0u64;
        for _ in 0..reader.count()? {
            at = at.checked_add(reader.number()?).ok_or(Broken)?;
            // Each time once: added up, believable counts would pass their bound.
            if rollup.windows.insert(at, Window::read(&mut reader, version)?).is_some() {
                return Err(Broken);
            }
        }
        Ok(rollup)
    }
}
