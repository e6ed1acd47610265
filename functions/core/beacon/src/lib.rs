//! What players report, and what it adds up to.
//!
//! A line of CMCD version 2 becomes an [`Event`]; [`Sessions`] makes sure that nothing counts twice and says what it adds, as a
//! [`Step`]; a [`Window`] adds steps up. A [`Collector`] is all of that for one instance and says when which [`Report`] is written. The
//! compactor adds reports up to [`Rollup`]s.
//!
//! In scope: reading and bounding reports, sessions, windows, sketches, their bytes. Out of scope: who may report, requests, storage.
//!
//! Invariants: merging windows is associative, commutative, and the order of reports does not matter; whatever bytes come from outside,
//! nothing panics and nothing grows beyond its bound.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod audience;
mod bytes;
mod cells;
mod collector;
mod compactor;
mod dictionary;
mod event;
mod figures;
mod quantiles;
mod report;
mod rollup;
mod sessions;
mod table;
mod uniques;
mod window;

pub use audience::Audience;
pub use bytes::Broken;
pub use cells::{CELL_MS, Cells};
pub use collector::{Collector, Counted, Put};
pub use compactor::{Compactor, Settled};
pub use event::{Event, EventKind, LINE_BYTES_MAX, LINES_MAX, SINCE_KEY, Since, State, Unread, lines};
pub use figures::Figures;
pub use quantiles::Quantiles;
pub use report::{Ending, Report};
pub use rollup::{BLOCK, Lost, Rollup};
pub use sessions::{CLAIM_MS, Ignored, Sessions, Step};
pub use table::{Of, Row, Spread, Whole, rows};
pub use uniques::Uniques;
pub use window::{Dimension, Ingest, OTHER, Share, Tally, Viewer, Window};
