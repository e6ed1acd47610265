use crate::dictionary::{Dictionary, Malformed, Value};

/// One line of a report: an event of CMCD version 2, with every figure within its bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event<'a> {
    /// A hash of the playback session's id.
    pub session: u64,
    /// What happened.
    pub kind: EventKind,
    /// How playback stands after it.
    pub state: State,
    /// The player's clock, in ms since 1970.
    pub sent_utc_ms: u64,
    /// The place among the events of the session, where the player numbers them.
    pub number: Option<u32>,
    /// From the wish to play to the first picture (`msd`).
    pub startup_ms: Option<u32>,
    /// Distance from the live edge (`ltc`).
    pub latency_ms: Option<u32>,
    /// What is played (`br`).
    pub bitrate_kbps: Option<u32>,
    /// Frames that were not shown, since the start (`dfa`).
    pub dropped_frames: Option<u32>,
    /// Stalls since the start (`bsa`), and how long they were together (`bsda`).
    pub stalls: Option<u32>,
    /// How long stalls were together since the start (`bsda`).
    pub stalled_ms: Option<u32>,
    /// What failed (`ec`), as it stands in the line.
    pub error: Option<&'a str>,
    /// What our player says of the time since the event before.
    pub since: Option<Since>,
    /// How long the media is that the request is for (`d`), where that is media that is seen.
    pub media_ms: Option<u32>,
    /// It was said in a request for something else: of a player that tells events, it is nothing new.
    pub in_request: bool,
}

/// The time since the event before, as our player tells it (`com.tidegate-since`), so that an edge that has never heard of the session
/// counts it as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// How long ago that event was.
    pub time_ms: u32,
    /// How much of it was played.
    pub played_ms: u32,
    /// How much of it was stalled.
    pub stalled_ms: u32,
    /// Stalls that began in it.
    pub stalls: u32,
    /// Whether that event left playback running.
    pub ran: bool,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// Playback changed its state (`ps`).
    State,
    /// Time went by (`t`).
    Interval,
    /// Something failed (`e`).
    Error,
    /// Anything else.
    Other,
}

/// How playback stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// `s`, `d`: nothing is shown so far.
    Starting,
    /// `p`
    Playing,
    /// `r`, `w`
    Stalled,
    /// `k`, `a`: the viewer's own doing.
    Paused,
    /// `e`, `q`
    Ended,
    /// `f`
    Failed,
}

/// Why a line does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// Not a dictionary.
    Malformed,
    /// Longer than [`LINE_BYTES_MAX`].
    Long,
    /// No event, no session, no time, or no state that is known.
    Incomplete,
}

/// A line that is read. With every key of the standard and a signed address in `url` it has 2 kB.
pub const LINE_BYTES_MAX: usize = 4096;
/// Lines of one report that are read: a page that was away gathers 50.
pub const LINES_MAX: usize = 64;
/// What our player tells beside the standard's keys.
pub const SINCE_KEY: &str = "com.tidegate-since";

/// Beyond, nobody waits for a picture.
const STARTUP_MS_MAX: i64 = 600_000;
/// Beyond, it is not live.
const LATENCY_MS_MAX: i64 = 86_400_000;
/// 1 Gbit/s.
const BITRATE_KBPS_MAX: i64 = 1_000_000;
/// Totals since the start: a month.
const TOTAL_MAX: i64 = 2_678_400_000;
/// A segment is not longer.
const MEDIA_MS_MAX: i64 = 30_000;
/// 9999-12-31.
const UTC_MS_MAX: i64 = 253_402_300_799_999;

impl<'a> Event<'a> {
    /// Reads a line. What is out of bounds is left out; a line without what every event has is none.
    pub fn read(line: &'a str) -> Result<Self, Unread> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Unread::Long);
        }
        let mut keys = Dictionary::new(line);
        let (mut kind, mut session, mut state, mut sent, mut since) = (None, None, None, None, None);
        let (mut number, mut startup, mut latency, mut bitrate, mut dropped, mut stalls, mut stalled, mut error) =
            (None, None, None, None, None, None, None, None);
        while let Some((key, value)) = keys.next().map_err(|Malformed| Unread::Malformed)? {
            match (key, value) {
                ("e", Value::Text(word)) => kind = Some(EventKind::of(word)),
                ("sid", Value::Text(id)) if !id.is_empty() => session = Some(hash(id)),
                ("sta", Value::Text(word)) => state = State::of(word),
                ("ts", value) => sent = bounded(value.number(), UTC_MS_MAX),
                ("sn", value) => number = bounded(value.number(), i64::from(u32::MAX)),
                ("msd", value) => startup = bounded(value.number(), STARTUP_MS_MAX),
                ("ltc", value) => latency = bounded(value.number(), LATENCY_MS_MAX),
                ("br", value) => bitrate = bounded(value.number(), BITRATE_KBPS_MAX).filter(|kbps| *kbps > 0),
                ("dfa", value) => dropped = bounded(value.number(), TOTAL_MAX),
                ("bsa", value) => stalls = bounded(value.sum(), TOTAL_MAX),
                ("bsda", value) => stalled = bounded(value.sum(), TOTAL_MAX),
                ("ec", Value::Text(code) | Value::List { text: Some(code), .. }) => error = Some(code),
                (SINCE_KEY, Value::Text(text)) => since = Since::of(text),
                _ => {}
            }
        }
        let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        Ok(Self {
            session: session.ok_or(Unread::Incomplete)?,
            kind: kind.ok_or(Unread::Incomplete)?,
            state: state.ok_or(Unread::Incomplete)?,
            sent_utc_ms: sent.ok_or(Unread::Incomplete)?,
            number: small(number),
            startup_ms: small(startup),
            latency_ms: small(latency),
            bitrate_kbps: small(bitrate),
            dropped_frames: small(dropped),
            stalls: small(stalls),
            stalled_ms: small(stalled),
            error,
            since,
            media_ms: None,
            in_request: false,
        })
    }

    /// Reads what a player says in a request (CMCD 1 or 2), at this time of the edge's clock: such players say neither when nor what
    /// has happened, only that they need more.
    pub fn read_request(line: &'a str, now_utc_ms: u64) -> Result<Self, Unread> {
        if line.len() > LINE_BYTES_MAX {
            return Err(Unread::Long);
        }
        let mut keys = Dictionary::new(line);
        let (mut session, mut state, mut starts, mut stands, mut latency, mut bitrate) = (None, None, false, false, None, None);
        let (mut media, mut is_seen) = (None, true);
        while let Some((key, value)) = keys.next().map_err(|Malformed| Unread::Malformed)? {
            match (key, value) {
                ("sid", Value::Text(id)) if !id.is_empty() => session = Some(hash(id)),
                ("sta", Value::Text(word)) => state = State::of(word),
                ("d", value) => media = bounded(value.number(), MEDIA_MS_MAX),
                // Pictures, with sound or without. What is not said is left to whoever knows what was asked for.
                ("ot", Value::Text(kind)) => is_seen = matches!(kind, "v" | "av"),
                ("su", Value::Flag(flag)) => starts = flag,
                ("pr", value) => stands = value.number() == Some(0),
                ("ltc", value) => latency = bounded(value.number(), LATENCY_MS_MAX),
                ("br", value) => bitrate = bounded(value.number(), BITRATE_KBPS_MAX).filter(|kbps| *kbps > 0),
                _ => {}
            }
        }
        let state = state.unwrap_or(if starts {
            State::Starting
        } else if stands {
            State::Paused
        } else {
            State::Playing
        });
        let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        Ok(Self {
            session: session.ok_or(Unread::Incomplete)?,
            kind: EventKind::Other,
            state,
            sent_utc_ms: now_utc_ms,
            number: None,
            startup_ms: None,
            latency_ms: small(latency),
            bitrate_kbps: small(bitrate),
            dropped_frames: None,
            stalls: None,
            stalled_ms: None,
            error: None,
            since: None,
            media_ms: small(media).filter(|_| is_seen),
            in_request: true,
        })
    }
}

impl Since {
    /// Five numbers in one text: the standard has texts and tokens for what it does not know.
    fn of(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|word| match word.len() {
            1..=9 if word.bytes().all(|byte| byte.is_ascii_digit()) => word.parse::<u32>().ok(),
            _ => None,
        });
        let mut next = || numbers.next().flatten();
        let since = Self { time_ms: next()?, played_ms: next()?, stalled_ms: next()?, stalls: next()?, ran: next()? == 1 };
        numbers.next().is_none().then_some(since)
    }
}

impl EventKind {
    fn of(word: &str) -> Self {
        match word {
            "ps" => Self::State,
            "t" => Self::Interval,
            "e" => Self::Error,
            _ => Self::Other,
        }
    }
}

impl State {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "s" | "d" => Self::Starting,
            "p" => Self::Playing,
            "r" | "w" => Self::Stalled,
            "k" | "a" => Self::Paused,
            "e" | "q" => Self::Ended,
            "f" => Self::Failed,
            _ => return None,
        })
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// The lines of a report.
pub fn lines(body: &str) -> impl Iterator<Item = &str> {
    body.split('\n').map(|line| line.trim_matches(['\r', ' '])).filter(|line| !line.is_empty()).take(LINES_MAX)
}

fn bounded(value: Option<i64>, max: i64) -> Option<u64> {
    value.filter(|value| (0..=max).contains(value)).map(i64::unsigned_abs)
}

/// FNV-1a, stirred: sessions are told apart by it, and who makes two alike disturbs only their own.
pub(crate) fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    stir(fnv)
}

/// The finalizer of splitmix64.
pub(crate) fn stir(mut hash: u64) -> u64 {
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
