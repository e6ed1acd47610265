//! Rules that one look decides: a playlist by itself, one beside another, an answer, a piece of media.

mod answer;
mod fragment;
mod low_latency;
mod media;
mod multivariant;
mod pair;
mod update;

pub(crate) use answer::{cacheable, gzip, of_playlist};
pub(crate) use fragment::{Fragment, Init, is_other, micros, read_fragment, read_init};
pub(crate) use low_latency::low_latency;
pub(crate) use media::media;
pub(crate) use multivariant::multivariant;
pub(crate) use pair::{Look, apart, drift, pair};
pub(crate) use update::{delta, update};

use alloc::{format, string::String};

/// Seconds for people, to the millisecond.
pub(crate) fn s(us: u64) -> String {
    let ms = us.saturating_add(500) / 1000;
    let (whole, rest) = (ms / 1000, ms % 1000);
    if rest == 0 { format!("{whole} s") } else { format!("{whole}.{rest:03} s") }
}
