//! Logs for tests: sessions as they come out of a packager, in every situation a playlist has to show.

use alloc::{string::ToString, vec, vec::Vec};

use tidegate_stream::{
    ConfigHash, FrameRate, Hash, Msn, PartIndex, PartRecord, Period, Record, RecordBody, RecordNumber, Rendition, RenditionId,
    RenditionKind, Session, SessionId, StreamId, Timeline, Track, TrackKind, TrackPart, WriterId,
};

/// 2026-09-21T14:13:20Z.
pub(crate) const START_US: i64 = 1_790_000_000_000_000;

/// A session and its records.
pub(crate) struct Log {
    pub(crate) session: Session,
    pub(crate) records: Vec<Record>,
}

/// One part of a log to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// It begins the next segment.
    pub(crate) begins: bool,
    /// It begins a period too.
    pub(crate) opens: bool,
    /// Frames of video, at 30 in a second.
    pub(crate) frames: u32,
    /// The video is missing.
    pub(crate) gap: bool,
}

impl Shape {
    pub(crate) const PART: Self = Self { begins: false, opens: false, frames: 15, gap: false };
    pub(crate) const FIRST: Self = Self { begins: true, ..Self::PART };
}

pub(crate) fn session(dvr_window_s: u32) -> Session {
    let rendition = |id, kind, part_target_us| Rendition { id: RenditionId::parse(id).unwrap(), kind, part_target_us };
    Session {
        stream: StreamId::parse("demo").unwrap(),
        id: SessionId::new(1_790_000_000_000, 7),
        target_duration_s: 2,
        dvr_window_s,
        renditions: vec![
            rendition("source", RenditionKind::Video, 500_000),
            rendition("low", RenditionKind::Video, 500_000),
            rendition("audio", RenditionKind::Audio, 512_000),
        ],
    }
}

fn video(init: u8, width: u32, height: u32, bandwidth_bps: u32) -> Track {
    let kind = TrackKind::Video { width, height, frame_rate: Some(FrameRate { numerator: 30_000, denominator: 1001 }) };
    Track { init: ConfigHash([init; 8]), codec: "avc1.64001f".to_string(), timescale: 30_000, bandwidth_bps, kind }
}

pub(crate) fn audio(init: u8) -> Track {
    let kind = TrackKind::Audio { sample_rate: 48_000, channels: 2 };
    Track { init: ConfigHash([init; 8]), codec: "mp4a.40.2".to_string(), timescale: 48_000, bandwidth_bps: 128_000, kind }
}

impl Log {
    /// Segments of four parts of half a second.
    pub(crate) fn regular(parts: usize) -> Self {
        Self::windowed(parts, 7200)
    }

    pub(crate) fn windowed(parts: usize, dvr_window_s: u32) -> Self {
        let shapes: Vec<Shape> = (0..parts).map(|n| if n % 4 == 0 { Shape::FIRST } else { Shape::PART }).collect();
        Self::shaped(session(dvr_window_s), &shapes)
    }

    pub(crate) fn shaped(session: Session, shapes: &[Shape]) -> Self {
        let mut log = Self { session, records: Vec::new() };
        let (mut msn, mut part, mut frame, mut period) = (Msn(0), PartIndex(0), 0u64, 0);
        for (index, shape) in shapes.iter().enumerate() {
            if index > 0 {
                (msn, part) = if shape.begins { (msn.next(), PartIndex(0)) } else { (msn, part.next()) };
            }
            let opens = index == 0 || (shape.opens && shape.begins);
            let opens = opens.then(|| {
                period += u8::from(index > 0);
                let tracks = vec![Some(video(1 + period * 16, 1280, 720, 3_000_000)), Some(video(2 + period * 16, 640, 360, 800_000))];
                let tracks = tracks.into_iter().chain([Some(audio(3))]).collect();
                let us = frame * 1_000_000 / 30;
                Period { index: period.into(), utc_us: START_US + us as i64, start_us: us, first_msn: msn, tracks }
            });
            let sound = |frame: u64| frame * 1600 / 1024;
            let sounds = sound(frame + u64::from(shape.frames)) - sound(frame);
            let independent = part.0 == 0;
            let key_len = |len: u32| if independent { len / 4 } else { 0 };
            let picture = |len| TrackPart { len, start: frame * 1000, duration: shape.frames * 1000, independent, key_len: key_len(len) };
            let sound = TrackPart { len: 8000, start: sound(frame) * 1024, duration: sounds as u32 * 1024, independent: true, key_len: 0 };
            let pictures = if shape.gap { [picture(0), picture(0)] } else { [picture(200_000), picture(50_000)] };
            let tracks = pictures.into_iter().chain([sound]).collect();
            let utc_us = START_US + (frame * 1_000_000 / 30) as i64;
            log.push(RecordBody::Part(PartRecord { msn, part, utc_us, opens, events: Vec::new(), tracks }));
            frame += u64::from(shape.frames);
        }
        log
    }

    pub(crate) fn push(&mut self, body: RecordBody) {
        let number = RecordNumber(self.records.len() as u64);
        self.records.push(Record { number, previous: Hash::ZERO, writer: WriterId(1), body });
    }

    pub(crate) fn ended(mut self) -> Self {
        self.push(RecordBody::End);
        self
    }

    /// What is known after all records.
    pub(crate) fn timeline(&self) -> Timeline {
        self.after(self.records.len())
    }

    /// What is known after the first `count` records.
    pub(crate) fn after(&self, count: usize) -> Timeline {
        let mut timeline = Timeline::new(self.session.clone());
        for record in self.records.iter().take(count) {
            timeline.apply(record, 100, None).unwrap();
        }
        timeline
    }
}
