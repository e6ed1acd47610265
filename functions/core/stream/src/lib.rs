//! The model that everything shares: ids, addresses, the bundles of the log, the timeline they add up to.
//!
//! A live stream in the bucket is a *log*: record 0, 1, 2, … of a [`Session`], each one immutable object written with
//! `If-None-Match: *`. One record holds one [`Part`] of every rendition; whoever writes record `n` first owns it, and the
//! key of the next record is known before it exists. [`Timeline`] is what a reader of the log knows so far.
//!
//! In scope: names, keys and paths, references to other documents, the bytes of records, segments, snapshots and chapters, and what
//! follows from them. Out of scope: playlists (`tidegate-hls`), when to read or write (`tidegate-edge`, `tidegate-packager`), any I/O.
//!
//! Invariant: whatever bytes come from outside, decoding returns an error; it never panics and never allocates by a size
//! that the bytes only claim.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod date;
mod document;
mod event;
mod hash;
mod id;
mod json;
mod key;
mod path;
mod path_origin;
mod path_token;
mod position;
mod record;
mod segment;
mod session;
mod timeline;
pub mod uri;
mod utc;

pub use date::date;
pub use document::{
    ApiToken, ApiTokens, Cue, Current, Denied, Entry, EventKind, IndexLine, IndexPage, KeyDocument, LatencyMode, PAGE_ENTRIES, Passed,
    PublishRules, PublishToken, RungRule, Scope, SessionFacts, Sessions, StreamDocument, Summary, event_document,
};
pub use event::{Announced, AttributeValue, EVENT_BYTES_MAX, EVENTS_MAX, EVENTS_PER_RECORD_MAX, Event, Scte35, Scte35Kind};
pub use hash::{ConfigHash, Hash, KeyHash};
pub use id::{IdError, Msn, OriginId, PartIndex, PlaybackId, RecordNumber, RenditionId, SessionId, StreamId, WriterId, symbols};
pub use json::{Json, JsonError};
pub use key::{AnalyticsKey, InstanceId, Key, Ledger, MetaKey};
pub use path::{MpdKind, Path, report_stream};
pub use path_origin::OriginPath;
pub use path_token::{split_token, token_prefix};
pub use position::{AS_OF_LAG_SEGMENTS, AsOf, Position};
pub use record::{DecodeError, PartRecord, Record, RecordBody, RecordError, TrackPart, encode_record};
pub use segment::{SegmentBundle, SegmentIndex, encode_segment};
pub use session::{FrameRate, Period, Rendition, RenditionKind, Session, Track, TrackKind};
pub use timeline::{
    ApplyError, CHAPTER_SEGMENTS, Chapter, PARTS_KEPT_SEGMENTS, Part, PartTrack, Segment, SegmentTrack, Snapshot, Timeline,
};
pub use utc::{format_utc, parse_utc};
