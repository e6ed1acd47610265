//! A bucket in memory that obeys the order of the outputs, and checks all that a reader relies on.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_cmaf::{read_chunk, read_chunks, read_init};
use tidegate_packager::{Condition, Config, Event, Input, Lane, Output, Packager, Put};
use tidegate_stream::{Chapter, Key, Msn, Record, RecordBody, RenditionKind, SegmentBundle, Snapshot, Timeline, TrackKind};

use crate::source::Script;

#[derive(Default)]
pub(crate) struct Bucket {
    pub(crate) objects: BTreeMap<Key, Vec<u8>>,
    pub(crate) puts: Vec<Put>,
    pub(crate) events: Vec<Event>,
    pub(crate) deleted: BTreeSet<Key>,
    /// When each record was given out, in us.
    pub(crate) record_at: Vec<i64>,
}

/// One frame as a reader finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) rendition: usize,
    pub(crate) msn: Msn,
    pub(crate) part: u32,
    pub(crate) period: u32,
    pub(crate) dts: u64,
    pub(crate) pts_us: i64,
    pub(crate) duration: u32,
    pub(crate) sync: bool,
    pub(crate) data: Vec<u8>,
}

/// Runs a script to its end.
pub(crate) fn run(config: Config, script: Script) -> Bucket {
    let mut packager = Packager::new(config);
    let mut bucket = Bucket::default();
    for (now, input) in script {
        packager.handle(now, input).unwrap();
        while let Some(output) = packager.poll() {
            bucket.take(now, output);
        }
    }
    bucket
}

impl Bucket {
    pub(crate) fn take(&mut self, now: i64, output: Output) {
        match output {
            Output::Event(event) => self.events.push(event),
            Output::Delete(keys) => {
                for key in keys {
                    assert!(self.objects.remove(&key).is_some(), "{key} was never written");
                    self.deleted.insert(key);
                }
            }
            Output::Put(put) => {
                assert_eq!(put.condition == Condition::Absent, put.key.is_write_once(), "{}", put.key);
                if matches!(put.key, Key::Record { .. }) {
                    self.record_at.push(now);
                }
                let before = self.objects.insert(put.key.clone(), put.bytes.clone());
                assert!(before.is_none() || put.condition == Condition::Replace, "{} was there", put.key);
                self.puts.push(put);
            }
        }
    }

    /// The timeline that a reader of the whole log has. Needs a session short enough that nothing was deleted.
    pub(crate) fn timeline(&self) -> Timeline {
        let head = self.puts.iter().find(|put| matches!(put.key, Key::Head { .. })).expect("a head");
        let mut timeline = Snapshot::decode(&head.bytes).unwrap().into_timeline(vec![]);
        for object in self.records() {
            let (record, media) = Record::decode(object).unwrap();
            timeline.apply(&record, media, Some(Record::hash(object))).unwrap();
        }
        timeline
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.puts.iter().filter(|put| matches!(put.key, Key::Record { .. })).map(|put| &put.bytes)
    }

    /// Checks every rule that does not depend on the source, and returns all frames in the order of the log.
    pub(crate) fn check(&self) -> Vec<Found> {
        self.check_order();
        let mut timeline: Option<Timeline> = None;
        let mut frames = Vec::new();
        let mut whole: BTreeMap<Msn, Vec<Vec<u8>>> = BTreeMap::new();
        for put in &self.puts {
            match &put.key {
                Key::Head { .. } => {
                    let head = Snapshot::decode(&put.bytes).unwrap();
                    timeline.get_or_insert_with(|| head.into_timeline(vec![]));
                }
                Key::Record { .. } => {
                    let timeline = timeline.as_mut().expect("the head comes first");
                    let (record, media) = Record::decode(&put.bytes).unwrap();
                    timeline.apply(&record, media, Some(Record::hash(&put.bytes))).unwrap();
                    if let RecordBody::Part(part) = &record.body {
                        let tracks = self.check_part(timeline, &put.bytes, media as usize, part, &mut frames);
                        let whole = whole.entry(part.msn).or_insert_with(|| vec![vec![]; tracks.len()]);
                        whole.iter_mut().zip(tracks).for_each(|(whole, chunk)| whole.extend(chunk));
                    }
                }
                Key::Segment { msn, .. } => {
                    let timeline = timeline.as_ref().unwrap();
                    assert!(timeline.is_closed(*msn));
                    let bundle = SegmentBundle::decode(&put.bytes).unwrap();
                    assert_eq!(bundle.tracks, whole[msn], "parts concatenated are the segment");
                    assert_eq!(bundle.index.segment, *timeline.segment(*msn).unwrap());
                    whole.remove(msn);
                }
                Key::Chapter { .. } => {
                    Chapter::decode(&put.bytes, timeline.as_ref().unwrap().session().renditions.len()).unwrap();
                }
                _ => {}
            }
        }
        if timeline.is_some_and(|timeline| timeline.ended()) {
            assert!(whole.is_empty(), "every segment has its bundle: {:?}", whole.keys());
        }
        self.check_line(&frames);
        frames
    }

    fn check_part(
        &self,
        timeline: &Timeline,
        object: &[u8],
        media: usize,
        part: &tidegate_stream::PartRecord,
        frames: &mut Vec<Found>,
    ) -> Vec<Vec<u8>> {
        let segment = timeline.segment(part.msn).unwrap();
        let session = timeline.session();
        let mut at = media;
        let mut chunks = vec![];
        for (rendition, share) in part.tracks.iter().enumerate() {
            let chunk = &object[at..at + share.len as usize];
            at += share.len as usize;
            chunks.push(chunk.to_vec());
            let Some(track) = timeline.track(segment, rendition) else {
                assert_eq!(share.len, 0, "media of a track that is not there");
                continue;
            };
            let target = session.renditions[rendition].part_target_us;
            assert!(
                track.micros(u64::from(share.duration)) <= u64::from(target) + 1,
                "part of {} us, {target}",
                track.micros(u64::from(share.duration))
            );
            if share.len == 0 {
                continue;
            }
            let init = self.objects.get(&Key::Init {
                stream: session.stream.clone(),
                session: session.id.clone(),
                rendition: session.renditions[rendition].id.clone(),
                config: track.init,
            });
            let init = read_init(init.expect("the init segment")).unwrap();
            assert_eq!((init.timescale, init.codec()), (track.timescale, track.codec.clone()));
            let read = read_chunk(chunk, &init.defaults).unwrap();
            assert_eq!(read_chunks(chunk, init.defaults).count(), 1, "a part is one chunk");
            assert_eq!(read.decode_time, share.start);
            assert_eq!(read.duration(), u64::from(share.duration));
            assert_eq!(read.samples[0].sync, share.independent);
            assert_eq!(u64::from(read.sequence), u64::from(timeline.next_record().0 as u32));
            let mut dts = read.decode_time;
            for sample in &read.samples {
                assert!(sample.duration > 0, "a frame without duration");
                let pts = dts as i64 + i64::from(sample.cts);
                frames.push(Found {
                    rendition,
                    msn: part.msn,
                    part: part.part.0,
                    period: segment.period,
                    dts,
                    pts_us: (i128::from(pts) * 1_000_000 / i128::from(track.timescale)) as i64,
                    duration: sample.duration,
                    sync: sample.sync,
                    data: sample.data.to_vec(),
                });
                dts += u64::from(sample.duration);
            }
        }
        assert_eq!(at, object.len());
        // At a segment start all video begins at one time, or an event says which does not.
        let is_said = self.events.iter().any(|event| matches!(event, Event::SegmentNotSync { msn, .. } if *msn == part.msn));
        if part.part.0 == 0 && !is_said {
            let starts: BTreeSet<u64> = (part.tracks.iter().zip(&session.renditions))
                .filter(|(track, rendition)| rendition.kind == RenditionKind::Video && track.len > 0)
                .map(|(track, _)| track.start)
                .collect();
            assert!(starts.len() <= 1, "video starts at {starts:?}");
        }
        chunks
    }

    /// Decode times grow, and no frame ends after the next one starts.
    fn check_line(&self, frames: &[Found]) {
        let mut ends: BTreeMap<(usize, u32), u64> = BTreeMap::new();
        for frame in frames {
            let end = ends.entry((frame.rendition, frame.period)).or_default();
            assert!(frame.dts >= *end, "{frame:?} starts before {end}");
            *end = frame.dts + u64::from(frame.duration);
        }
    }

    /// Nothing refers to what was not given out before it.
    fn check_order(&self) {
        let mut durable: BTreeSet<String> = BTreeSet::new();
        let mut segments = 0;
        for put in &self.puts {
            let first_head = matches!(put.key, Key::Head { .. }) && !durable.contains(&put.key.to_string());
            let log = matches!(put.key, Key::Init { .. } | Key::Record { .. }) || first_head;
            match &put.key {
                Key::Record { stream, session, .. } => {
                    let (record, _) = Record::decode(&put.bytes).unwrap();
                    if let RecordBody::Part(part) = &record.body
                        && let Some(period) = &part.opens
                    {
                        assert!(put.barrier, "a record that names init segments waits for them");
                        assert!(durable.contains(&Key::Head { stream: stream.clone(), session: session.clone() }.to_string()));
                        for track in period.tracks.iter().flatten() {
                            let init = format!("/{}.mp4", track.init);
                            assert!(durable.iter().any(|key| key.ends_with(&init)));
                        }
                    } else {
                        assert!(!put.barrier, "records are sent several at a time");
                    }
                }
                Key::Current { .. } => {
                    assert!(put.barrier && durable.iter().any(|key| key.contains("/log/")));
                }
                Key::Segment { msn, .. } => {
                    assert!(put.barrier);
                    assert_eq!(msn.0, segments);
                    segments += 1;
                }
                Key::Head { .. } => assert_eq!(put.barrier, !first_head),
                Key::StaticMedia { stream, session, .. } => {
                    let text = std::str::from_utf8(&put.bytes).unwrap();
                    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                        assert!(durable.contains(&format!("live/{stream}/{session}/{line}")), "{line} is listed before it is there");
                    }
                    for map in text.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")) {
                        let (init, rest) = map.split_once('"').unwrap();
                        let key = format!("live/{stream}/{session}/{init}");
                        let (_, bytes) = self.objects.iter().find(|(known, _)| known.to_string() == key).unwrap();
                        assert_eq!(rest, format!(",BYTERANGE=\"{}@0\"", bytes.len()));
                    }
                }
                Key::StaticMultivariant { stream } => {
                    let text = std::str::from_utf8(&put.bytes).unwrap();
                    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
                        assert!(durable.contains(&format!("live/{stream}/{line}")), "{line} is listed before it is there");
                    }
                }
                _ => {}
            }
            assert_eq!(put.lane == Lane::Log, log, "{}", put.key);
            durable.insert(put.key.to_string());
        }
    }

    /// The timeline as text, one line per part: `msn.part` and for each track `start+duration` in ticks.
    pub(crate) fn outline(&self) -> String {
        let timeline = self.timeline();
        let mut text = String::new();
        for segment in timeline.segments() {
            for (index, part) in segment.parts.iter().enumerate() {
                text += &format!("{}.{index}", segment.msn);
                for (rendition, track) in part.tracks.iter().enumerate() {
                    let kind = timeline.track(segment, rendition).map(|track| &track.kind);
                    let mark = match (kind, track.len) {
                        (None, _) => {
                            text += " -";
                            continue;
                        }
                        (_, 0) => "gap ",
                        (Some(TrackKind::Video { .. }), _) if track.independent => "*",
                        _ => "",
                    };
                    text += &format!(" {mark}{}+{}", track.start, track.duration);
                }
                text += "\n";
            }
        }
        text
    }
}

/// Every frame that was pushed is found once, in order, or an event says that it was dropped.
pub(crate) fn assert_all_found(script: &Script, bucket: &Bucket) -> Vec<Found> {
    let found = bucket.check();
    let renditions = script.iter().filter_map(|(_, input)| match input {
        Input::Frame { rendition, .. } => Some(*rendition),
        _ => None,
    });
    for rendition in renditions.collect::<BTreeSet<_>>() {
        let mut dropped: Vec<i64> = bucket
            .events
            .iter()
            .filter_map(|event| match event {
                Event::FrameDropped { rendition: of, dts_ms, .. } if *of == rendition => Some(*dts_ms),
                _ => None,
            })
            .collect();
        let mut mine = found.iter().filter(|found| found.rendition == rendition).map(|found| &found.data).peekable();
        for (_, input) in script {
            let Input::Frame { rendition: of, frame } = input else { continue };
            if *of != rendition || mine.next_if(|data| **data == frame.data).is_some() {
                continue;
            }
            let said = dropped.iter().position(|dts_ms| *dts_ms == frame.dts_ms);
            let said = said.unwrap_or_else(|| panic!("{} of {rendition} is lost; {:?}", frame.dts_ms, bucket.events));
            dropped.remove(said);
        }
        assert_eq!((mine.next(), dropped), (None, vec![]), "rendition {rendition} has more than was pushed");
    }
    found
}
