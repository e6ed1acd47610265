//! Which rendition to load next, and when to give up on a request that is under way.
//!
//! In scope: the belief about the link, the forecast, the value of buffer states, the choice, the reasons for it; the
//! published SODA rule beside it as the fallback until the value tables are ready.
//! Out of scope: clocks, requests, playlists, media, the playback speed itself ([`Config::catch_up`] only names the curve that
//! the forecast counts on).
//!
//! Invariant: the same inputs give the same bits on every target; every transcendental function comes from `libm`, nothing
//! depends on addresses, time or randomness. Inputs are clamped where they enter: no number from outside can make a call
//! panic, loop or allocate more than the named bounds.
//!
//! ```
//! use tidegate_abr::{Abr, Config, Sample, State};
//!
//! let mut abr = Abr::new(Config { ladder_bps: vec![400e3, 1.2e6, 4e6], ..Config::vod() });
//! while !abr.idle(64) {} // in a browser: one slice per idle callback
//! assert_eq!(abr.decide(&State::default()).rendition, 0);
//! abr.sample(Sample { bits: 800e3, ttfb_s: 0.04, transfer_s: 0.1, rendition: 0, media_s: 2.0 });
//! let decision = abr.decide(&State { buffer_s: 2.0, last: Some(0), playing: true, started: true, ..State::default() });
//! assert_eq!(decision.rendition, 2);
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod abandon;
mod abr;
mod belief;
mod config;
mod decision;
mod ewma;
mod number;
mod parameters;
mod residuals;
mod rtt;
mod scenario;
mod soda;
mod step;
mod table;
mod value;

pub use abr::Abr;
pub use config::{CatchUp, Config, MAX_RUNGS, Mode};
pub use decision::{Abandon, Alternative, Decision, Progress, RegimeView, Rule, SAMPLES_PER_DECISION, Sample, State, Why};
pub use ewma::{Ewma, EwmaPair};
pub use parameters::{Parameters, REGIMES, Regime};
pub use soda::Soda;
pub use table::Tables;
