use alloc::{format, vec::Vec};

use tidegate_function::Answer;
use tidegate_stream::{
    AnalyticsKey, FrameRate, Json, Key, MetaKey, SessionFacts, SessionId, Snapshot, StreamId, Timeline, TrackKind, format_utc, parse_utc,
};

use crate::{
    answer::{Refusal, cached, json},
    call::{Call, Go, refuse, unreadable},
    resource::streams,
};

/// A session that has not ended and has written nothing for so long, in ms, has no worker any more: an encoder that is lost is waited for
/// less long.
const GONE_MS: u64 = 90_000;
/// A segment is on its way for its own length, and the snapshot that tells of it this much longer, in ms.
const LATE_MS: u64 = 2000;
/// How long viewers' copies are kept, in s. With a second in the host's cache of objects and a second in the player's, a change is seen
/// within 5 s.
const INFO_S: u32 = 2;

/// Dates of records are those of a worker's clock: where the store says when they were written they count only where they are this much
/// older, since no store takes the signature of a clock that is so far off.
const CLOCKS_APART_MS: u64 = 900_000;

/// What a session has written last.
pub(crate) struct Head {
    timeline: Timeline,
    /// When, by the store's clock.
    age_ms: Option<u64>,
}

/// How a session is doing, from what it has written last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    /// Media comes as it should.
    Healthy,
    /// It has not ended, and no media comes.
    Starving,
    /// It is over, at this time.
    Over { utc_ms: u64 },
}

impl Health {
    pub(crate) fn is_live(self) -> bool {
        !matches!(self, Self::Over { .. })
    }

    fn of(Head { timeline, age_ms }: &Head, now_utc_ms: u64) -> Self {
        let newest_ms = timeline.newest_utc_ms();
        let target_ms = u64::from(timeline.session().target_duration_s) * 1000;
        let dated_ms = now_utc_ms.saturating_sub(newest_ms);
        match age_ms.filter(|age_ms| dated_ms < age_ms.saturating_add(CLOCKS_APART_MS)).unwrap_or(dated_ms) {
            _ if timeline.ended() => Self::Over { utc_ms: newest_ms },
            silent if silent > GONE_MS => Self::Over { utc_ms: newest_ms },
            silent if silent > 2 * target_ms + LATE_MS => Self::Starving,
            _ => Self::Healthy,
        }
    }
}

/// What is known of a session, without its past.
pub(crate) fn head_of(call: &mut Call<'_>, stream: &StreamId, session: &SessionId) -> Go<Option<Head>> {
    let object = call.read(Key::Head { stream: stream.clone(), session: session.clone() })?;
    let Some(object) = object else { return Ok(None) };
    let snapshot = Snapshot::decode(object.bytes).map_err(|_| unreadable())?;
    Ok(Some(Head { timeline: snapshot.into_timeline(Vec::new()), age_ms: object.age_ms }))
}

/// How a session is doing. One that has no head is over.
pub(crate) fn of_session(call: &mut Call<'_>, stream: &StreamId, session: &SessionId) -> Go<Health> {
    let now_utc_ms = call.now_utc_ms;
    let head = head_of(call, stream, session)?;
    Ok(head.map_or_else(|| Health::Over { utc_ms: session.utc_ms() }, |head| Health::of(&head, now_utc_ms)))
}

/// The newest session of a stream.
pub(crate) fn newest(call: &mut Call<'_>, stream: &StreamId) -> Go<Option<SessionId>> {
    let object = call.read(Key::Current { stream: stream.clone() })?;
    let Some(object) = object else { return Ok(None) };
    let current = Json::parse(object.bytes).map_err(|_| unreadable())?;
    SessionId::parse(current.text_of("session")).map(Some).map_err(|_| unreadable())
}

/// Facts of a session.
pub(crate) fn facts(call: &mut Call<'_>, stream: &StreamId, head: &Head) -> Go<Json> {
    let timeline = &head.timeline;
    let session = &timeline.session().id;
    let now_utc_ms = call.now_utc_ms;
    let object = call.read(MetaKey::Session { stream: stream.clone(), session: session.clone() })?;
    let known = object.and_then(|object| SessionFacts::parse(object.bytes));
    let health = Health::of(head, now_utc_ms);
    let ended = if let Health::Over { utc_ms } = health { Some(utc_ms) } else { None };
    let seconds = timeline.newest_utc_ms().saturating_sub(session.utc_ms()) / 1000;
    let facts = Json::object()
        .with("id", session.as_str())
        .with("state", if health.is_live() { "live" } else { "ended" })
        .with("started", format_utc(session.utc_ms()))
        .with("ended", ended.map(format_utc))
        .with("duration_s", seconds)
        .with("playlist", format!("/live/{stream}/{session}/index.m3u8"))
        .with("input", known.as_ref().and_then(SessionFacts::input).cloned())
        .with("peak_viewers", known.as_ref().and_then(SessionFacts::peak_viewers).cloned())
        .with("renditions", renditions(timeline));
    Ok(facts)
}

/// What viewers can be given, best first.
fn renditions(timeline: &Timeline) -> Vec<Json> {
    let newest = timeline.periods().last();
    let one = |(n, rendition): (usize, &tidegate_stream::Rendition)| {
        let track = newest?.tracks.get(n)?.as_ref()?;
        let json =
            Json::object().with("id", rendition.id.as_str()).with("codec", track.codec.as_str()).with("bitrate_bps", track.bandwidth_bps);
        Some(match track.kind {
            TrackKind::Video { width, height, frame_rate } => {
                let milli =
                    frame_rate.map(|FrameRate { numerator, denominator }| u64::from(numerator) * 1000 / u64::from(denominator.max(1)));
                json.with("kind", "video").with("width", width).with("height", height).with("frame_rate_milli", milli)
            }
            TrackKind::Audio { sample_rate, channels } => {
                json.with("kind", "audio").with("sample_rate_hz", sample_rate).with("channels", channels)
            }
        })
    };
    timeline.session().renditions.iter().enumerate().filter_map(one).collect()
}

/// Who watches a session at this moment, as far as anybody counts; nobody where the last count is of a session before it.
fn viewers(call: &mut Call<'_>, stream: &StreamId, began_ms: u64) -> Go<u64> {
    let Some(object) = call.read(AnalyticsKey::Latest { stream: stream.clone() })? else { return Ok(0) };
    let latest = Json::parse(object.bytes).map_err(|_| unreadable())?;
    let is_of_it = parse_utc(latest.text_of("at")).is_none_or(|at_ms| at_ms >= began_ms);
    Ok(if is_of_it { latest.number_of("viewers") } else { 0 })
}

pub(crate) fn get(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let stored = streams::expect(call, &stream, false)?;
    // The scope of this is not that of figures.
    let counts = stored.json.text_of("viewer_count") != "hidden";
    let now_utc_ms = call.now_utc_ms;
    let head = match newest(call, &stream)? {
        Some(session) => head_of(call, &stream, &session)?,
        None => None,
    };
    let Some(head) = head else {
        let idle = Json::object().with("state", "idle").with("health", Json::Null).with("since", Json::Null);
        return Ok(json(200, &idle.with("viewers", 0u32).with("session", Json::Null)));
    };
    let health = Health::of(&head, now_utc_ms);
    let began_ms = head.timeline.session().id.utc_ms();
    let (state, word, since) = match health {
        Health::Healthy => ("live", Some("healthy"), began_ms),
        Health::Starving => ("live", Some("starving"), began_ms),
        Health::Over { utc_ms } => ("idle", None, utc_ms),
    };
    let viewers = match counts {
        true if health.is_live() => Json::from(viewers(call, &stream, began_ms)?),
        true => Json::from(0u32),
        false => Json::Null,
    };
    let live = Json::object().with("state", state).with("health", word).with("since", format_utc(since)).with("viewers", viewers);
    Ok(json(200, &live.with("session", facts(call, &stream, &head)?)))
}

/// What viewers see: `/live/<stream>/info.json`.
pub(crate) fn info(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let stored = streams::read(call, &stream, false)?;
    let none = || refuse(Refusal::NotFound, format_args!("there is no stream {stream}"));
    if stored.as_ref().is_some_and(|stored| stored.is_deleted() || stored.json.text_of("visibility") == "private") {
        return Err(none());
    }
    let session = newest(call, &stream)?;
    if stored.is_none() && session.is_none() {
        return Err(none());
    }
    let document = stored.map_or_else(Json::object, |stored| stored.json);
    let health = match &session {
        Some(session) => of_session(call, &stream, session)?,
        None => Health::Over { utc_ms: 0 },
    };
    let mut info = Json::object().with("id", stream.as_str());
    for name in ["title", "description", "tags", "language", "category", "poster", "thumbnails", "scheduled_start"] {
        info.set(name, document.get(name).cloned().unwrap_or(Json::Null));
    }
    let live = health.is_live();
    let since = session.as_ref().filter(|_| live).map(|session| format_utc(session.utc_ms()));
    let info = info.with("live", live).with("since", since).with("session", session.as_ref().map(SessionId::as_str));
    Ok(cached(&info, INFO_S))
}
