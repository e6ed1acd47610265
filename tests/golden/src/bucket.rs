use std::collections::BTreeMap;

use tidegate_stream::{
    ApiToken, ApiTokens, ConfigHash, Current, Hash, Key, MetaKey, Msn, PartIndex, PartRecord, Period, Record, RecordBody, RecordNumber,
    Rendition, RenditionId, RenditionKind, Scope, Session, SessionId, StreamId, Timeline, Track, TrackKind, TrackPart, WriterId,
    encode_record, encode_segment,
};
use tidegate_token::{Claims, Keys, Match, MatchKind, Token, UriPart};

/// Objects by their keys.
pub type Bucket = BTreeMap<String, Vec<u8>>;

/// When the recordings began: long enough ago that no host takes them for live.
const START_MS: u64 = 1_750_000_000_000;
/// Segments of four parts of half a second.
const SEGMENTS: u64 = 12;

/// A recording that everybody may watch (`demo`), the same behind a token (`hidden`), a stream that has not begun (`soon`), and the
/// documents around them.
#[must_use]
pub fn golden_bucket() -> Bucket {
    let mut bucket = Bucket::new();
    record(&mut bucket, "demo");
    record(&mut bucket, "hidden");
    let mut put = |key: &str, text: &str| bucket.insert(key.to_owned(), text.as_bytes().to_vec());
    put("meta/streams/demo.json", r#"{"id":"demo","title":"Tide","description":"A recording","tags":["sea"]}"#);
    put("meta/streams/hidden.json", r#"{"id":"hidden","title":"Hidden","playback":{"access":"signed"}}"#);
    put("meta/streams/soon.json", r#"{"id":"soon","title":"Soon"}"#);
    put(
        "meta/origins/other.json",
        r#"{"base":"https://origin.example/live/","media":{"to":"https://cdn.example/live/"},"steering":{"ttl_s":300,"pathways":[{"id":"a","base":"https://cdn-a.example/live/","weight":100}]}}"#,
    );
    let keys = serde_json::to_string(&Keys::new(vec![key()]).unwrap()).unwrap();
    put("meta/playback-keys.json", &keys);
    bucket
}

fn key() -> tidegate_token::Key {
    tidegate_token::Key::new("k1", vec![1; 32]).unwrap()
}

/// A token that opens `hidden` and does not end.
pub(crate) fn token() -> String {
    let uri = vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: "/live/hidden/".into() }];
    Token::seal(&Claims { id: Some(vec![1]), uri, ..Claims::default() }, &key())
}

/// The session of both recordings.
pub(crate) fn session() -> SessionId {
    SessionId::new(START_MS, 7)
}

/// The path of the recording that everybody may watch.
#[must_use]
pub fn session_path() -> String {
    format!("/live/demo/{}", session())
}

/// Writes an API token that may do everything into a bucket, and returns it.
pub fn api_token(bucket: &mut Bucket) -> String {
    let (kept, token) = ApiToken::new(&[7; 32], "golden", Scope::ALL.to_vec(), 0, None);
    let mut tokens = ApiTokens::default();
    assert!(tokens.add(kept));
    bucket.insert(MetaKey::Tokens.to_string(), tokens.to_bytes());
    token
}

fn record(bucket: &mut Bucket, name: &str) {
    let rendition = |id, kind, part_target_us| Rendition { id: RenditionId::parse(id).unwrap(), kind, part_target_us };
    let (stream, session) = (StreamId::parse(name).unwrap(), session());
    let renditions = vec![
        rendition("high", RenditionKind::Video, 500_000),
        rendition("low", RenditionKind::Video, 500_000),
        rendition("audio", RenditionKind::Audio, 512_000),
    ];
    let video = |width, height| TrackKind::Video { width, height, frame_rate: None };
    let track = |init: u8, codec: &str, timescale, bandwidth_bps, kind| {
        Some(Track { init: ConfigHash([init; 8]), codec: codec.to_owned(), timescale, bandwidth_bps, kind })
    };
    let tracks = vec![
        track(1, "avc1.64001f", 30_000, 3_000_000, video(1280, 720)),
        track(2, "avc1.64001e", 30_000, 800_000, video(640, 360)),
        track(3, "mp4a.40.2", 48_000, 128_000, TrackKind::Audio { sample_rate: 48_000, channels: 2 }),
    ];
    for (rendition, track) in renditions.iter().zip(&tracks) {
        let config = track.as_ref().unwrap().init;
        let init = Key::Init { stream: stream.clone(), session: session.clone(), rendition: rendition.id.clone(), config };
        bucket.insert(init.to_string(), format!("[init {}]", rendition.id).into_bytes());
    }
    let session = Session { stream: stream.clone(), id: session, target_duration_s: 2, dvr_window_s: 7200, renditions };
    let mut log = Log { bucket, timeline: Timeline::new(session), media: Vec::new() };
    for n in 0..SEGMENTS * 4 {
        let (msn, part) = (Msn(n / 4), PartIndex((n % 4) as u32));
        let first = part.0 == 0;
        let media: Vec<Vec<u8>> = ["high", "low", "audio"].iter().map(|id| format!("[{id} {msn}.{part}]").into_bytes()).collect();
        let track = |index: usize, scale: u64| TrackPart {
            len: media.get(index).map_or(0, Vec::len) as u32,
            start: n * scale / 2,
            duration: (scale / 2) as u32,
            independent: first || index == 2,
            key_len: if first && index < 2 { 6 } else { 0 },
        };
        let opens =
            (n == 0).then(|| Period { index: 0, utc_us: (START_MS * 1000) as i64, start_us: 0, first_msn: msn, tracks: tracks.clone() });
        let record = PartRecord {
            msn,
            part,
            utc_us: ((START_MS + n * 500) * 1000) as i64,
            opens,
            events: Vec::new(),
            tracks: vec![track(0, 30_000), track(1, 30_000), track(2, 48_000)],
        };
        log.write(RecordBody::Part(record), media);
    }
    log.write(RecordBody::End, Vec::new());
    let current = serde_json::to_vec(&Current { session: log.timeline.session().id.clone() }).unwrap();
    bucket.insert(Key::Current { stream }.to_string(), current);
}

struct Log<'a> {
    bucket: &'a mut Bucket,
    timeline: Timeline,
    /// Of the open segment, by rendition.
    media: Vec<Vec<u8>>,
}

impl Log<'_> {
    fn write(&mut self, body: RecordBody, media: Vec<Vec<u8>>) {
        let number: RecordNumber = self.timeline.next_record();
        let record = Record { number, previous: self.timeline.last_hash().unwrap_or(Hash::ZERO), writer: WriterId(1), body };
        let bytes: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
        let object = encode_record(&record, &bytes).unwrap();
        let (decoded, offset) = Record::decode(&object).unwrap();
        let open = self.timeline.last().map(|last| last.msn);
        self.timeline.apply(&decoded, offset, Some(Record::hash(&object))).unwrap();
        let Session { stream, id: session, .. } = self.timeline.session().clone();
        // Records are gone by now, as a worker deletes them.
        if let Some(closed) = open.filter(|msn| self.timeline.is_closed(*msn)) {
            let tracks: Vec<&[u8]> = self.media.iter().map(Vec::as_slice).collect();
            let bundle = encode_segment(self.timeline.segment(closed).unwrap(), &tracks);
            self.bucket.insert(Key::Segment { stream: stream.clone(), session: session.clone(), msn: closed }.to_string(), bundle);
            if let Some((index, chapter)) = self.timeline.chapter_closed_by(closed) {
                let key = Key::Chapter { stream: stream.clone(), session: session.clone(), index };
                self.bucket.insert(key.to_string(), chapter.encode());
            }
            self.bucket.insert(Key::Head { stream, session }.to_string(), self.timeline.snapshot().encode());
            self.media.clear();
        }
        if self.media.is_empty() {
            self.media = media;
        } else {
            self.media.iter_mut().zip(media).for_each(|(all, new)| all.extend_from_slice(&new));
        }
    }
}
