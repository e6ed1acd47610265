//! A worker and its bucket in memory.

use std::collections::BTreeMap;

use tidegate_function::{Answer, Fetched, Input, Job as _, Output, Request};
use tidegate_stream::{
    ConfigHash, Current, Event, Hash, Key, Msn, PartIndex, PartRecord, Period, Record, RecordBody, RecordNumber, Rendition, RenditionId,
    RenditionKind, Segment, Session, SessionId, StreamId, Timeline, Track, TrackKind, TrackPart, WriterId, encode_record, encode_segment,
};

use super::{at, get};
use crate::*;

/// Record n holds the half second from here + n * 0.5 s on, and is there when that is over.
pub(super) const START_MS: u64 = 1_790_000_000_000;

/// A worker and the bucket that it writes to.
pub(super) struct World {
    pub(super) objects: BTreeMap<String, Vec<u8>>,
    pub(super) timeline: Timeline,
    pub(super) media: BTreeMap<u64, Vec<Vec<u8>>>,
    pub(super) broken: bool,
    /// Announced with the next part.
    pub(super) events: Vec<Event>,
    /// The next part has no video.
    pub(super) gap: bool,
}

impl World {
    pub(super) fn new(start_ms: u64) -> Self {
        let rendition = |id, kind, part_target_us| Rendition { id: RenditionId::parse(id).unwrap(), kind, part_target_us };
        let session = Session {
            stream: StreamId::parse("demo").unwrap(),
            id: SessionId::new(start_ms, 7),
            target_duration_s: 2,
            dvr_window_s: 7200,
            renditions: vec![rendition("source", RenditionKind::Video, 500_000), rendition("audio", RenditionKind::Audio, 512_000)],
        };
        let mut world = Self {
            objects: BTreeMap::new(),
            timeline: Timeline::new(session),
            media: BTreeMap::new(),
            broken: false,
            events: vec![],
            gap: false,
        };
        world.write_head();
        world
    }

    /// After this many records of segments of four parts.
    pub(super) fn after(records: u64) -> Self {
        let mut world = Self::new(START_MS);
        (0..records).for_each(|_| world.write_part(false));
        world
    }

    pub(super) fn put(&mut self, key: &Key, bytes: Vec<u8>) {
        self.objects.insert(key.to_string(), bytes);
    }

    pub(super) fn names(&self) -> (StreamId, SessionId) {
        (self.timeline.session().stream.clone(), self.timeline.session().id.clone())
    }

    pub(super) fn record_key(&self, number: u64) -> String {
        let (stream, session) = self.names();
        Key::Record { stream, session, number: RecordNumber(number) }.to_string()
    }

    pub(super) fn head_key(&self) -> String {
        let (stream, session) = self.names();
        Key::Head { stream, session }.to_string()
    }

    pub(super) fn write_head(&mut self) {
        self.objects.insert(self.head_key(), self.timeline.snapshot().encode());
    }

    /// The next part; of a new segment after four, or at once where this one is cut short.
    pub(super) fn write_part(&mut self, cut: bool) {
        let n = self.timeline.next_record().0;
        let (msn, part) = match self.timeline.last() {
            None => (Msn(0), PartIndex(0)),
            Some(last) if cut || last.part.0 == 3 => (last.msn.next(), PartIndex(0)),
            Some(last) => (last.msn, last.part.next()),
        };
        let video = TrackKind::Video { width: 1280, height: 720, frame_rate: None };
        let audio = TrackKind::Audio { sample_rate: 48_000, channels: 2 };
        let track = |init, codec: &str, timescale, kind| {
            Some(Track { init: ConfigHash([init; 8]), codec: codec.to_owned(), timescale, bandwidth_bps: 1_000_000, kind })
        };
        let tracks = vec![track(1, "avc1.64001f", 30_000, video), track(2, "mp4a.40.2", 48_000, audio)];
        let opens = (n == 0).then_some(Period { index: 0, utc_us: (START_MS * 1000) as i64, start_us: 0, first_msn: msn, tracks });
        let gap = std::mem::take(&mut self.gap);
        let video = if gap { vec![] } else { format!("[video {msn}.{part}]").into_bytes() };
        let media = vec![video, format!("[audio {msn}.{part}]").into_bytes()];
        let len = |index: usize| media[index].len() as u32;
        let tracks = vec![
            TrackPart {
                len: len(0),
                start: n * 15_000,
                duration: 15_000,
                independent: part.0 == 0 && !gap,
                key_len: u32::from(part.0 == 0 && !gap) * 6,
            },
            TrackPart { len: len(1), start: n * 24_000, duration: 24_000, independent: true, key_len: 0 },
        ];
        let utc_us = (START_MS + n * 500) as i64 * 1000;
        let events = std::mem::take(&mut self.events);
        self.write(RecordBody::Part(PartRecord { msn, part, utc_us, opens, events, tracks }), &media);
        for (track, bytes) in self.media.entry(msn.0).or_insert_with(|| vec![vec![]; 2]).iter_mut().zip(&media) {
            track.extend_from_slice(bytes);
        }
        if n == 0 {
            let (stream, session) = self.names();
            let current = serde_json::to_vec(&Current { session }).unwrap();
            self.put(&Key::Current { stream }, current);
        }
    }

    pub(super) fn write_end(&mut self) {
        self.write(RecordBody::End, &[]);
    }

    pub(super) fn write(&mut self, body: RecordBody, media: &[Vec<u8>]) {
        let number = self.timeline.next_record();
        let record = Record { number, previous: self.timeline.last_hash().unwrap_or(Hash::ZERO), writer: WriterId(1), body };
        let media: Vec<&[u8]> = media.iter().map(Vec::as_slice).collect();
        let object = encode_record(&record, &media).unwrap();
        let (decoded, offset) = Record::decode(&object).unwrap();
        let open = self.timeline.last().map(|last| last.msn);
        self.timeline.apply(&decoded, offset, Some(Record::hash(&object))).unwrap();
        self.objects.insert(self.record_key(number.0), object);
        let (stream, session) = self.names();
        if let Some(closed) = open.filter(|msn| self.timeline.is_closed(*msn)) {
            let segment: Segment = self.timeline.segment(closed).unwrap().clone();
            let tracks: Vec<&[u8]> = self.media[&closed.0].iter().map(Vec::as_slice).collect();
            let bundle = encode_segment(&segment, &tracks);
            self.put(&Key::Segment { stream: stream.clone(), session: session.clone(), msn: closed }, bundle);
            if let Some((index, chapter)) = self.timeline.chapter_closed_by(closed) {
                self.put(&Key::Chapter { stream, session, index }, chapter.encode());
            }
            self.write_head();
        }
    }

    /// Just after the newest record was written.
    pub(super) fn now_ms(&self) -> u64 {
        START_MS + self.timeline.next_record().0 * 500 + 5
    }

    pub(super) fn fetch(&self, key: &str, range: Option<(u64, u64)>) -> Fetched {
        if self.broken {
            return Fetched::Failed;
        }
        let Some(object) = self.objects.get(key) else { return Fetched::Missing };
        let (first, last) = range.unwrap_or((0, u64::MAX));
        let end = (last.saturating_add(1)).min(object.len() as u64) as usize;
        Fetched::Got { bytes: object[(first as usize).min(end)..end].to_vec(), etag: None, age_ms: None }
    }

    /// Runs one request to its answer; returns the keys that were read too.
    pub(super) fn run(&self, state: &mut State, request: Request, now_ms: u64) -> (Answer, Vec<String>) {
        let mut job = Job::new(request);
        let mut reads = Vec::new();
        let now = at(now_ms);
        loop {
            match job.poll(state, &now) {
                Output::Answer(answer) => return (answer, reads),
                other @ (Output::Store { .. } | Output::Delete { .. } | Output::Load { .. }) => panic!("{other:?}"),
                Output::Fetch { key, range, .. } => {
                    assert!(reads.len() < 2000, "a job has to come to an end");
                    let fetched = self.fetch(&key, range);
                    reads.push(key);
                    job.handle(state, &now, Input::Fetched(fetched));
                }
            }
        }
    }

    pub(super) fn get(&self, state: &mut State, address: &str) -> Answer {
        self.run(state, get(&self.full(address)), self.now_ms()).0
    }

    pub(super) fn full(&self, address: &str) -> String {
        match address.strip_prefix("~/") {
            Some(rest) => format!("/live/demo/{}/{rest}", self.timeline.session().id),
            None => address.to_owned(),
        }
    }

    /// What the pieces of an answer are.
    pub(super) fn body(&self, answer: &Answer) -> String {
        let Answer::Send { pieces, .. } = answer else { panic!("{answer:?}") };
        let bytes = pieces.iter().flat_map(|piece| match self.fetch(&piece.key, piece.range) {
            Fetched::Got { bytes, .. } => bytes,
            other => panic!("{other:?} for {piece:?}"),
        });
        String::from_utf8(bytes.collect()).unwrap()
    }
}
