//! Playlists of other origins, changed in place: what no rule names leaves byte for byte.
//!
//! [`hls`] goes through a playlist line by line and [`dash`] through a manifest tag by tag; both copy the text as it stands and put
//! in only what the [`Rules`] (what the owner wants changed) and the [`Places`] (where addresses lead) ask for. Neither needs the
//! text to be valid: what cannot be read is copied.
//!
//! In scope: filters, the start rung, addresses, query strings, steering, interstitials, ad markers, single tags; the answer of a
//! steering server; which addresses are nobody else's business ([`host_is_private`]).
//! Out of scope: fetching, who may ask (`tidegate-token`), which origins there are (`functions/origin`).
//!
//! Invariant: with no rules and no places the output is the input, whatever the input is.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod address;
mod attribute;
mod dash;
mod date;
mod filter;
mod hls;
mod place;
mod rules;
mod sniff;
mod steering;
mod uri;

pub use address::host_is_private;
pub use dash::dash;
pub use hls::{hls, is_multivariant};
pub use place::{Class, Place, Places};
pub use rules::{Ads, BadRules, Filter, Interstitial, Rules, Start};
pub use sniff::{Format, sniff};
pub use steering::{Pathway, SteeringAnswer, SteeringTag};
pub use tidegate_stream::uri::{Parts, resolve};
pub use uri::append_query;

/// Why a playlist cannot be given to viewers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// A player could show nothing of what would be left.
    #[error("nothing of this playlist passes the filter")]
    NothingLeft,
}
