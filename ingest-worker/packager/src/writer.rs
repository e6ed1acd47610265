use alloc::{collections::BTreeSet, collections::VecDeque, vec::Vec};

use tidegate_hls::InitSizes;
use tidegate_stream::{
    AsOf, ConfigHash, Current, EVENTS_PER_RECORD_MAX, Event, Hash, Key, Msn, PartIndex, PartRecord, Period, Record, RecordBody, Session,
    Timeline, Track, WriterId, encode_record, encode_segment,
};

use crate::{
    Condition, Lane, Output, Put,
    joint::{Fit, Joint},
    message,
    period::{Built, Clock, Place},
    playlist,
    retention::Retention,
    track::Piece,
};

/// Writes the log and all that is written beside it, and keeps the timeline that these objects add up to.
#[derive(Debug)]
pub(crate) struct Writer {
    timeline: Timeline,
    open: Option<(Msn, PartIndex)>,
    tracks: Vec<Option<Track>>,
    periods: u32,
    written: BTreeSet<(usize, ConfigHash)>,
    init_sizes: InitSizes,
    /// The media of the open segment.
    media: Vec<Vec<u8>>,
    since_static: u32,
    multivariants: playlist::Multivariants,
    retention: Retention,
    writer: WriterId,
    /// What another worker has written of the open segment.
    joint: Option<Joint>,
}

/// Segments between two writings of the static playlists: at 6 renditions each one more would cost 10,800 PUT per hour.
const STATIC_EVERY: u32 = 4;

impl Writer {
    pub(crate) fn new(session: Session, writer: WriterId) -> Self {
        let renditions = session.renditions.len();
        let retention = Retention::new(session.target_duration_s);
        Self {
            timeline: Timeline::new(session),
            open: None,
            tracks: alloc::vec![None; renditions],
            periods: 0,
            written: BTreeSet::new(),
            init_sizes: InitSizes::new(),
            media: alloc::vec![Vec::new(); renditions],
            // The first closed segment makes the bucket playable by itself.
            since_static: STATIC_EVERY,
            multivariants: playlist::Multivariants::default(),
            retention,
            writer,
            joint: None,
        }
    }

    /// Goes on with the log of another worker. `media` is that of the open segment.
    pub(crate) fn resume(timeline: Timeline, media: Vec<Vec<u8>>, joint: Option<Joint>, writer: WriterId, now: i64) -> Self {
        let last = timeline.periods().last();
        let inits = |period: &'_ Period| {
            let init = |(rendition, track): (usize, &Option<Track>)| Some((rendition, track.as_ref()?.init));
            period.tracks.iter().enumerate().filter_map(init).collect::<Vec<_>>()
        };
        Self {
            open: timeline.last().map(|last| (last.msn, last.part)),
            tracks: last.map_or_else(|| alloc::vec![None; timeline.session().renditions.len()], |period| period.tracks.clone()),
            periods: last.map_or(0, |period| period.index + 1),
            written: timeline.periods().iter().flat_map(inits).collect(),
            init_sizes: InitSizes::new(),
            media,
            since_static: STATIC_EVERY,
            multivariants: playlist::Multivariants::default(),
            retention: Retention::resume(&timeline, now),
            writer,
            joint,
            timeline,
        }
    }

    /// What the log is known to be, with what was given out.
    pub(crate) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// This worker goes: the next record may be anybody's.
    pub(crate) fn leave(&mut self, out: &mut VecDeque<Output>) {
        let Some((msn, _)) = self.open else { return };
        let number = self.timeline.next_record().0;
        if self.put_record(RecordBody::Leave, &[], false, out) {
            self.retention.record(msn, number);
        }
    }

    /// Where the next record goes.
    pub(crate) fn place(&self) -> Place {
        if let (Some(theirs), Some((msn, _))) = (self.joint.as_ref().and_then(Joint::next), self.open) {
            let sequence = (theirs.number.0 as u32).wrapping_add(1);
            return Place { sequence, new_msn: msn, open: (msn, theirs.part), theirs: Some(theirs.part) };
        }
        let sequence = (self.timeline.next_record().0 as u32).wrapping_add(1);
        match self.open {
            Some((msn, part)) => Place { sequence, new_msn: msn.next(), open: (msn, part.next()), theirs: None },
            None => Place { sequence, new_msn: Msn(0), open: (Msn(0), PartIndex(0)), theirs: None },
        }
    }

    /// How many events are listed, or were a moment ago.
    pub(crate) fn events(&self) -> usize {
        self.timeline.events(AsOf::End).chain(self.timeline.events_gone(AsOf::End)).count()
    }

    /// Writes the next record, with what is to be announced. Returns the segment and the period's track list where one begins.
    pub(crate) fn write(&mut self, now: i64, mut built: Built, announced: &mut VecDeque<Event>, out: &mut VecDeque<Output>) -> Option<Msn> {
        if let Some(joint) = &mut self.joint {
            match joint.fit(&mut built, &self.tracks) {
                Fit::Known => return None,
                Fit::Goes => {
                    if let Some(pieces) = joint.take_between() {
                        self.record(now, Built { clock: Clock::GoesOn, starts_segment: false, pieces, ..built }, announced, out);
                    }
                }
                Fit::Past => self.joint = None,
            }
        }
        self.record(now, built, announced, out)
    }

    fn record(&mut self, now: i64, mut built: Built, announced: &mut VecDeque<Event>, out: &mut VecDeque<Output>) -> Option<Msn> {
        let place = self.place();
        let starts_segment = built.starts_segment || self.open.is_none();
        let (msn, part) = if starts_segment { (place.new_msn, PartIndex(0)) } else { place.open };
        let opens = starts_segment.then(|| self.opens(msn, &built)).flatten();
        let events: Vec<Event> = announced.drain(..announced.len().min(EVENTS_PER_RECORD_MAX)).collect();
        message::attach(&mut built.pieces, &self.tracks, built.utc_us, &events);
        let is_first = self.open.is_none();
        // Who goes on with another worker's log learns them from its own.
        let configs = built.pieces.iter().filter_map(|piece| piece.config.as_ref());
        self.init_sizes.extend(configs.map(|config| (config.track.init, config.init.len())));
        if opens.is_some() {
            self.put_inits(&built.pieces, out);
        }
        if is_first {
            self.put_head(false, out);
        }
        let tracks = built.pieces.iter().map(|piece| piece.part).collect();
        let opened = opens.is_some();
        let body = RecordBody::Part(PartRecord { msn, part, utc_us: built.utc_us, opens, events, tracks });
        let media: Vec<&[u8]> = built.pieces.iter().map(|piece| piece.media.as_slice()).collect();
        let before = self.open.map(|(msn, _)| msn);
        let number = self.timeline.next_record().0;
        if !self.put_record(body, &media, opened, out) {
            return None;
        }
        self.open = Some((msn, part));
        if is_first {
            self.put_current(out);
        }
        if let Some(closed) = before.filter(|_| starts_segment) {
            self.put_segment(now, closed, out);
        }
        self.retention.record(msn, number);
        for (whole, piece) in self.media.iter_mut().zip(&built.pieces) {
            whole.extend_from_slice(&piece.media);
        }
        opened.then_some(msn)
    }

    /// The period that begins with this record, where one does.
    fn opens(&mut self, msn: Msn, built: &Built) -> Option<Period> {
        let differs = |(known, piece): (&Option<Track>, &Piece)| match (known, &piece.config) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(config)) => known.init != config.track.init,
        };
        if built.clock == Clock::GoesOn && !self.tracks.iter().zip(&built.pieces).any(differs) {
            return None;
        }
        for (known, piece) in self.tracks.iter_mut().zip(&built.pieces) {
            let track = piece.config.as_ref().map(|config| config.track.clone());
            *known = if built.clock == Clock::Opens { track } else { track.or_else(|| known.take()) };
        }
        let period = Period {
            index: self.periods,
            utc_us: built.utc_us,
            start_us: built.start_us.max(0) as u64,
            first_msn: msn,
            tracks: self.tracks.clone(),
        };
        self.periods += 1;
        Some(period)
    }

    fn put_inits(&mut self, pieces: &[Piece], out: &mut VecDeque<Output>) {
        for (rendition, piece) in pieces.iter().enumerate() {
            let Some(config) = &piece.config else { continue };
            if self.written.insert((rendition, config.track.init)) {
                let session = self.timeline.session();
                let Some(id) = session.renditions.get(rendition).map(|rendition| rendition.id.clone()) else { continue };
                let key =
                    Key::Init { stream: session.stream.clone(), session: session.id.clone(), rendition: id, config: config.track.init };
                out.push_back(put(key, config.init.clone(), Lane::Log, false));
            }
        }
    }

    fn put_record(&mut self, body: RecordBody, media: &[&[u8]], barrier: bool, out: &mut VecDeque<Output>) -> bool {
        let previous = self.timeline.last_hash().unwrap_or(Hash::ZERO);
        let record = Record { number: self.timeline.next_record(), previous, writer: self.writer, body };
        let Ok(object) = encode_record(&record, media) else { return false };
        let media_len: usize = media.iter().map(|bytes| bytes.len()).sum();
        let offset = u32::try_from(object.len() - media_len).unwrap_or(u32::MAX);
        // The timeline is fed with what it was asked for, so it cannot refuse.
        if self.timeline.apply(&record, offset, Some(Record::hash(&object))).is_err() {
            return false;
        }
        let session = self.timeline.session();
        let key = Key::Record { stream: session.stream.clone(), session: session.id.clone(), number: record.number };
        out.push_back(put(key, object, Lane::Log, barrier));
        true
    }

    fn put_current(&mut self, out: &mut VecDeque<Output>) {
        let session = self.timeline.session();
        let current = Current { session: session.id.clone() };
        let bytes = serde_json::to_vec(&current).unwrap_or_default();
        out.push_back(put(Key::Current { stream: session.stream.clone() }, bytes, Lane::Index, true));
    }

    /// A snapshot speaks of records, so these have to be there first.
    fn put_head(&self, barrier: bool, out: &mut VecDeque<Output>) {
        let session = self.timeline.session();
        let key = Key::Head { stream: session.stream.clone(), session: session.id.clone() };
        let lane = if barrier { Lane::Index } else { Lane::Log };
        out.push_back(put(key, self.timeline.snapshot().encode(), lane, barrier));
    }

    /// A segment is complete: its bundle and everything that lists it.
    fn put_segment(&mut self, now: i64, msn: Msn, out: &mut VecDeque<Output>) {
        let Some(segment) = self.timeline.segment(msn) else { return };
        let session = self.timeline.session();
        let media: Vec<&[u8]> = self.media.iter().map(Vec::as_slice).collect();
        let key = Key::Segment { stream: session.stream.clone(), session: session.id.clone(), msn };
        // Only who wrote the records writes the bundle: behind the barrier it is known who did. Where another worker's records of it
        // could not be read there is none.
        if segment.tracks.iter().zip(&media).all(|(track, media)| track.len as usize == media.len()) {
            out.push_back(put(key, encode_segment(segment, &media), Lane::Index, true));
        }
        if let Some((index, chapter)) = self.timeline.chapter_closed_by(msn) {
            let key = Key::Chapter { stream: session.stream.clone(), session: session.id.clone(), index };
            out.push_back(put(key, chapter.encode(), Lane::Index, false));
        }
        self.put_head(true, out);
        self.media.iter_mut().for_each(Vec::clear);
        self.since_static += 1;
        if self.since_static >= STATIC_EVERY || self.timeline.ended() {
            self.since_static = 0;
            for (key, text) in playlist::write(&self.timeline, &self.init_sizes, &mut self.multivariants) {
                out.push_back(put(key, text.into_bytes(), Lane::Index, false));
            }
        }
        self.retention.closed(msn, now);
        let oldest = self.timeline.segments().front().map_or(msn, |segment| segment.msn);
        let session = self.timeline.session();
        if let Some(keys) = self.retention.expired(session, oldest, now) {
            out.push_back(Output::Delete(keys));
        }
    }

    /// The session is over.
    pub(crate) fn end(&mut self, now: i64, out: &mut VecDeque<Output>) {
        let Some((msn, _)) = self.open else { return };
        if self.put_record(RecordBody::End, &[], false, out) {
            self.put_segment(now, msn, out);
        }
    }
}

fn put(key: Key, bytes: Vec<u8>, lane: Lane, barrier: bool) -> Output {
    let condition = if key.is_write_once() { Condition::Absent } else { Condition::Replace };
    Output::Put(Put { key, bytes, condition, lane, barrier })
}
