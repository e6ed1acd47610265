use alloc::string::ToString;

use crate::{Json, SessionId, StreamId, format_utc};

/// What can have happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EventKind {
    /// A stream was made.
    StreamCreated,
    /// A stream has viewers' media.
    StreamLive,
    /// A stream is no longer published.
    StreamIdle,
    /// A publish was given up.
    StreamErrored,
    /// A session is over.
    SessionEnded,
    /// Everything of a session can be played as a recording.
    RecordingReady,
    /// The number of viewers has passed a threshold.
    ViewerThreshold,
    /// Somebody wants to see whether events arrive.
    WebhookTest,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::StreamCreated,
        Self::StreamLive,
        Self::StreamIdle,
        Self::StreamErrored,
        Self::SessionEnded,
        Self::RecordingReady,
        Self::ViewerThreshold,
        Self::WebhookTest,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StreamCreated => "stream.created",
            Self::StreamLive => "stream.live",
            Self::StreamIdle => "stream.idle",
            Self::StreamErrored => "stream.errored",
            Self::SessionEnded => "session.ended",
            Self::RecordingReady => "recording.ready",
            Self::ViewerThreshold => "viewer.threshold",
            Self::WebhookTest => "webhook.test",
        }
    }
}

/// A numbered object of the events: what is sent to webhooks, word for word. `id` names the event; who gets it twice knows it by that.
#[must_use]
pub fn event_document(kind: EventKind, id: &SessionId, stream: Option<&StreamId>, facts: Json) -> Json {
    let event = Json::object().with("id", id.as_str()).with("type", kind.as_str()).with("created", format_utc(id.utc_ms()));
    event.with("stream", stream.map(ToString::to_string)).with("data", facts)
}
