//! One track from playlist to source buffer: which fragment comes next, in which rung, and what is appended when.

mod feed;
mod item;
mod switch;

use alloc::{collections::VecDeque, string::String, vec::Vec};

pub(crate) use self::item::Address;
use self::{
    feed::CONTINUES_S,
    item::{Fragment, InitSegment, State},
};
use crate::{
    Key, MediaKind, Track,
    follower::{Follower, back_off_ms},
    fragment::Init,
    playlist::{Place, Playlist, Resource},
    ranges::Ranges,
    schedule::{Grain, Next, Offer, next, next_in, segment_probably_starts},
    shared::Shared,
};

/// Parts or segments of sound that exist already and are asked for at a time: one transfers while the next one is on its way.
const MAX_LOADING: usize = 2;
/// Fragments between request and source buffer; bounds the memory that waits for a slow source buffer.
const MAX_QUEUE: usize = 8;
/// Init segments that are kept: a few rungs in a few periods.
const MAX_INITS: usize = 16;
/// Steps over gaps and segment ends in one go.
const MAX_STEPS: usize = 64;
/// A fragment that the server refuses is given up after this many requests; one that the network loses never is.
const MAX_REFUSALS: u32 = 3;
/// With less than this ahead each part is waited for.
const SHORT_S: f64 = 1.0;
/// With this many segments ahead one request for a whole one is cheaper than one for each part.
const WHOLE_FROM_SEGMENTS: f64 = 2.0;
/// The shortest buffer that a full source buffer is taken to hold.
const MIN_FORWARD_S: f64 = 4.0;

/// One track.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) track: Track,
    /// Its clock is that of the presentation; sound beside pictures may be cut elsewhere.
    main: bool,
    pub(crate) follower: Follower,
    pub(crate) rung: usize,
    candidate: Option<(usize, Follower)>,
    cursor: Option<Place>,
    queue: VecDeque<Fragment>,
    inits: VecDeque<InitSegment>,
    appended_init: Option<Address>,
    busy: Option<Busy>,
    anchor: Option<(u64, f64)>,
    unlisted: Option<(Resource, Place)>,
    refused_hint: Option<Resource>,
    /// The rung has nothing at the cursor, and another may have.
    gap: bool,
    /// Gaps are skipped: no other rung has the media either.
    skips_gaps: bool,
    /// A rung that turned out to have a gap where it was to be gone over to.
    gone_rung: Option<usize>,
    /// Since when the start of a segment waits for the candidate's playlist.
    boundary_ms: Option<f64>,
    /// The last segment whose rung was chosen.
    chosen: Option<u64>,
    /// A segment that is loaded again in a lower rung, and how many of its parts are there already.
    again: Option<(u64, usize)>,
    pub(crate) ranges: Ranges,
    pub(crate) loaded_end_s: Option<f64>,
    offset_s: f64,
    forward_s: f64,
    feed_after_ms: f64,
    decode_failures: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Busy {
    Init,
    Fragment { id: u32 },
    Removal,
}

/// What a media answer was for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Arrived {
    Init,
    /// A fragment, with the length of its media.
    Fragment {
        duration_s: f64,
    },
}

/// A fragment that is being loaded.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Running {
    pub(crate) msn: u64,
    pub(crate) part: usize,
    /// Parts of its segment that can be played already.
    pub(crate) buffered: usize,
    pub(crate) whole: bool,
    /// Since when it is known to exist; before that the server may hold the request.
    pub(crate) listed_ms: Option<f64>,
    /// When its segment is to be shown, if that is known.
    pub(crate) segment_s: Option<f64>,
}

impl Lane {
    pub(crate) fn new(track: Track, main: bool, url: String, rung: usize, shared: &Shared) -> Self {
        Self {
            track,
            main,
            follower: Follower::new(url, shared.now_ms),
            rung,
            candidate: None,
            cursor: None,
            queue: VecDeque::new(),
            inits: VecDeque::new(),
            appended_init: None,
            busy: None,
            anchor: None,
            unlisted: None,
            refused_hint: None,
            gap: false,
            skips_gaps: !main,
            gone_rung: None,
            boundary_ms: None,
            chosen: None,
            again: None,
            ranges: Ranges::default(),
            loaded_end_s: None,
            offset_s: 0.0,
            forward_s: shared.config.forward_s.max(MIN_FORWARD_S),
            feed_after_ms: 0.0,
            decode_failures: 0,
        }
    }

    pub(crate) fn playlist(&self) -> Option<&Playlist> {
        self.follower.playlist()
    }

    pub(crate) fn cursor(&self) -> Option<Place> {
        self.cursor
    }

    pub(crate) fn is_main(&self) -> bool {
        self.main
    }

    /// Goes on with the source buffer of another lane, whatever it is doing.
    pub(crate) fn take_over(&mut self, lane: &mut Self) {
        self.busy = lane.busy.take();
    }

    /// The fragment that a request brings.
    pub(crate) fn running(&self, id: u32) -> Option<Running> {
        let fragment = self.queue.iter().find(|fragment| fragment.state == State::Asked { id })?;
        let Place { msn, part } = fragment.place;
        let again = self.again.filter(|(again, _)| *again == msn).map_or(0, |(_, parts)| parts);
        let whole = fragment.kind == MediaKind::Segment;
        let buffered = if whole { 0 } else { part.max(again) };
        let listed_ms = fragment.listed.then_some(self.follower.changed_ms());
        Some(Running { msn, part, buffered, whole, listed_ms, segment_s: self.time_of(Place::segment(msn)) })
    }

    /// Asks for whatever is due. Returns the rung if it has changed.
    pub(crate) fn step(&mut self, shared: &mut Shared) -> Option<usize> {
        self.follow(shared);
        let switched = self.fill(shared);
        self.ask_again(shared);
        self.feed(shared);
        switched
    }

    fn follow(&mut self, shared: &mut Shared) {
        // Far behind the edge nobody waits for the newest part.
        let relaxed = match (self.cursor, self.playlist()) {
            (Some(cursor), Some(playlist)) => {
                playlist.distance_s(cursor.msn, playlist.next_place().msn).is_some_and(|behind| behind > 3.0 * playlist.target_s)
            }
            _ => false,
        };
        if let Some(url) = self.follower.wants(shared.now_ms, None, relaxed) {
            let id = shared.fetch_playlist(url);
            self.follower.asked(id);
        }
        let Some((_, candidate)) = &mut self.candidate else { return };
        let known = self.follower.playlist().zip(candidate.playlist()).map(|(own, other)| other.aligned_place(own, own.next_place()));
        if let Some(url) = candidate.wants(shared.now_ms, known, relaxed) {
            let id = shared.fetch_playlist(url);
            candidate.asked(id);
        }
    }

    /// Whose playlist request this is.
    pub(crate) fn follower_of(&mut self, id: u32) -> Option<&mut Follower> {
        let candidate = self.candidate.as_mut().map(|(_, follower)| follower);
        core::iter::once(&mut self.follower).chain(candidate).find(|follower| follower.request() == Some(id))
    }

    /// Takes notice of a new state of the playlist.
    pub(crate) fn playlist_changed(&mut self, shared: &mut Shared) {
        self.refused_hint = None;
        let Some(playlist) = self.follower.playlist() else { return };
        let Some((resource, guess)) = self.unlisted.clone() else { return };
        let found = playlist.numbered().rev().take(3).find_map(|(msn, segment)| {
            let part = segment.parts.iter().position(|part| part.resource == resource)?;
            Some((Place { msn, part }, segment, segment.parts.get(part)?))
        });
        let at = self.queue.iter().position(|fragment| !fragment.listed);
        match found {
            // The rendition has nothing there; whoever looks for it next is told so.
            Some((place, segment, part)) if segment.gap || part.gap => {
                self.unlisted = None;
                match at {
                    Some(at) => self.rewind(shared, at, place),
                    None if self.cursor == Some(guess.next_part()) => self.cursor = Some(place.next_part()),
                    None => {}
                }
            }
            Some((place, segment, part)) => {
                if let Some(fragment) = at.and_then(|at| self.queue.get_mut(at)) {
                    fragment.place = place;
                    fragment.listed = true;
                    fragment.period = segment.period;
                    fragment.duration_s = part.duration_s;
                    fragment.map = segment.map.as_deref().map(|map| Address::new(self.follower.base(), map));
                }
                if place != guess && self.cursor == Some(guess.next_part()) {
                    self.cursor = Some(place.next_part());
                }
                self.unlisted = None;
            }
            // Something else came in its place.
            None if playlist.next_place() > guess => {
                if let Some(fragment) = at.and_then(|at| self.queue.remove(at)) {
                    self.cursor = Some(fragment.place);
                    shared.drop_request(fragment.id());
                }
                self.unlisted = None;
            }
            None => {}
        }
    }

    /// Forgets what was asked for from a fragment on, and goes on at a place.
    fn rewind(&mut self, shared: &mut Shared, at: usize, place: Place) {
        for fragment in self.queue.drain(at..) {
            shared.drop_request(fragment.id());
        }
        self.unlisted = None;
        self.cursor = Some(place);
    }

    fn fill(&mut self, shared: &mut Shared) -> Option<usize> {
        let mut switched = None;
        for _ in 0..MAX_STEPS {
            let cursor = self.cursor?;
            if self.main && !self.gap && self.undecided_at(cursor) {
                break;
            }
            if (cursor.part == 0 || self.gap) && self.candidate.is_some() {
                if self.switch(shared, cursor) {
                    switched = Some(self.rung);
                    continue;
                }
                if self.gap || self.waits_to_switch(shared.now_ms) {
                    break;
                }
            }
            let Some(playlist) = self.follower.playlist() else { break };
            let offer = match next_in(playlist, cursor, self.grain(shared, playlist, cursor)) {
                Next::Skip(place) => {
                    self.cursor = Some(place);
                    continue;
                }
                Next::Gap(after) if self.skips_gaps => {
                    self.cursor = Some(after);
                    continue;
                }
                Next::Gap(_) => {
                    self.gap = true;
                    break;
                }
                Next::Load(offer) => offer,
                Next::Wait | Next::End => break,
            };
            if !self.has_room(shared, &offer) {
                break;
            }
            let fragment = Fragment::new(self.follower.base(), playlist, &offer);
            let hint = (!fragment.listed).then(|| (offer.resource.clone(), offer.place));
            self.cursor = Some(if offer.kind == MediaKind::Segment { offer.place.next_segment() } else { offer.place.next_part() });
            self.unlisted = hint.or_else(|| self.unlisted.take());
            self.boundary_ms = None;
            // Where media is to be had again, the next gap is to be looked at anew.
            self.skips_gaps = !self.main;
            self.push(shared, fragment);
        }
        switched
    }

    /// The first picture waits for the first part alone, and where little is ahead the next part is needed before the rest of its segment. The
    /// choice of a rung reckons so: what comes in time part by part would be too much where nothing plays before all of a segment is here.
    fn grain(&self, shared: &Shared, playlist: &Playlist, place: Place) -> Grain {
        let short_s = playlist.segment(place.msn).map_or(0.0, |segment| WHOLE_FROM_SEGMENTS * segment.duration_s);
        if self.loaded_end_s.is_none() || (self.main && self.loaded_ahead_s(shared) < short_s) { Grain::Parts } else { Grain::Whole }
    }

    /// How far media has been loaded beyond the playhead.
    fn loaded_ahead_s(&self, shared: &Shared) -> f64 {
        self.loaded_end_s.map_or(0.0, |end| (end - shared.position_s()).max(0.0))
    }

    fn has_room(&self, shared: &Shared, offer: &Offer<'_>) -> bool {
        let hint = offer.kind == MediaKind::Hint;
        if hint {
            // A switch waits here until the list says where the segment starts: that costs a round trip, and only then.
            let boundary = self.candidate.is_some() && self.playlist().is_some_and(|list| segment_probably_starts(list, offer.place));
            if boundary || self.unlisted.is_some() || self.refused_hint.as_ref() == Some(offer.resource) {
                return false;
            }
        }
        let loading =
            self.queue.iter().filter(|fragment| fragment.kind != MediaKind::Hint && !matches!(fragment.state, State::Here { .. }));
        let ahead_s = self.loaded_ahead_s(shared);
        // Pictures that are needed at once come one after another: two parts on their way together both come later.
        let most = if self.main && ahead_s < SHORT_S { 1 } else { MAX_LOADING };
        if self.queue.len() >= MAX_QUEUE || (!hint && loading.count() >= most) {
            return false;
        }
        ahead_s + self.queued_s() < self.forward_s
    }

    /// Media from a time on that has arrived, appended or not.
    pub(crate) fn ready_s(&self, position_s: f64) -> f64 {
        let here = self.queue.iter().filter(|fragment| matches!(fragment.state, State::Here { .. }));
        self.ranges.ahead_s(position_s) + here.map(|fragment| fragment.duration_s).sum::<f64>()
    }

    fn queued_s(&self) -> f64 {
        self.queue.iter().map(|fragment| fragment.duration_s).sum()
    }

    fn push(&mut self, shared: &mut Shared, mut fragment: Fragment) {
        if let Some(map) = &fragment.map {
            self.need_init(shared, map.clone(), fragment.key.as_ref());
        }
        let id = shared.fetch_media(self.track, fragment.kind, &fragment.address, fragment.key.as_ref());
        fragment.state = State::Asked { id };
        self.queue.push_back(fragment);
    }

    fn need_init(&mut self, shared: &mut Shared, address: Address, key: Option<&Key>) {
        if self.inits.iter().any(|init| init.address == address) {
            return;
        }
        if self.inits.len() >= MAX_INITS {
            let unused = self.inits.iter().position(|init| self.queue.iter().all(|fragment| fragment.map.as_ref() != Some(&init.address)));
            if let Some(init) = unused.and_then(|at| self.inits.remove(at)) {
                shared.drop_request(init.state.id());
            }
        }
        let id = shared.fetch_media(self.track, MediaKind::Init, &address, key);
        self.inits.push_back(InitSegment { address, key: key.cloned(), state: State::Asked { id }, read: Init::default(), failures: 0 });
    }

    fn ask_again(&mut self, shared: &mut Shared) {
        let now_ms = shared.now_ms;
        let due = |state: &State| matches!(state, State::Again { at_ms } if *at_ms <= now_ms);
        for init in self.inits.iter_mut().filter(|init| due(&init.state)) {
            let id = shared.fetch_media(self.track, MediaKind::Init, &init.address, init.key.as_ref());
            init.state = State::Asked { id };
        }
        for fragment in self.queue.iter_mut().filter(|fragment| due(&fragment.state)) {
            let id = shared.fetch_media(self.track, fragment.kind, &fragment.address, fragment.key.as_ref());
            fragment.state = State::Asked { id };
        }
    }

    /// Takes media that arrived; `None` if it is not this lane's.
    pub(crate) fn media_loaded(&mut self, id: u32, head: &[u8]) -> Option<Arrived> {
        if let Some(init) = self.inits.iter_mut().find(|init| init.state == State::Asked { id }) {
            init.read = Init::read(head).unwrap_or_default();
            init.state = State::Here { id, head: Vec::new() };
            return Some(Arrived::Init);
        }
        let fragment = self.queue.iter_mut().find(|fragment| fragment.state == State::Asked { id })?;
        fragment.state = State::Here { id, head: head.to_vec() };
        Some(Arrived::Fragment { duration_s: fragment.duration_s })
    }

    /// Codecs that the init segments name, for a stream whose playlist names none.
    pub(crate) fn codecs(&self) -> Option<&[String]> {
        self.inits.iter().map(|init| init.read.codecs.as_slice()).find(|codecs| !codecs.is_empty())
    }

    pub(crate) fn media_failed(&mut self, shared: &mut Shared, id: u32, status: u16) -> bool {
        if let Some(init) = self.inits.iter_mut().find(|init| init.state == State::Asked { id }) {
            init.state = State::Again { at_ms: shared.now_ms + back_off_ms(init.failures) };
            init.failures = init.failures.saturating_add(1);
            return true;
        }
        let Some(at) = self.queue.iter().position(|fragment| fragment.state == State::Asked { id }) else { return false };
        let Some(fragment) = self.queue.get_mut(at) else { return false };
        if !fragment.listed {
            // The hint was wrong, or the server is gone: the playlist will say what exists.
            self.refused_hint = self.unlisted.take().map(|(resource, _)| resource);
            self.cursor = Some(fragment.place);
            self.queue.remove(at);
            self.follower.hurry(shared.now_ms);
            return true;
        }
        let place = fragment.place;
        if self.follower.playlist().is_some_and(|playlist| matches!(next(playlist, place), Next::Gap(_))) {
            self.rewind(shared, at, place);
            return true;
        }
        let Some(fragment) = self.queue.get_mut(at) else { return true };
        let gone = self.follower.playlist().is_some_and(|playlist| fragment.place.msn < playlist.first_msn);
        fragment.refusals = fragment.refusals.saturating_add(1);
        // Parts of an MPD are listed by the clock: what was made late is there after all.
        let late = self.follower.playlist().is_some_and(|playlist| {
            let newest = place.msn.saturating_add(1) >= playlist.next_place().msn;
            newest && playlist.segment(place.msn).is_some_and(|segment| segment.is_open() || segment.is_parts_alone())
        });
        let given_up = gone || (status != 0 && !late && fragment.refusals >= MAX_REFUSALS);
        fragment.state = if given_up { State::Missing } else { State::Again { at_ms: shared.now_ms + back_off_ms(fragment.refusals - 1) } };
        true
    }

    /// Everything of a playlist that has ended is in the source buffer.
    pub(crate) fn is_finished(&self) -> bool {
        let at_end = || matches!((self.cursor, self.playlist()), (Some(cursor), Some(list)) if next(list, cursor) == Next::End);
        self.queue.is_empty() && self.busy.is_none() && at_end()
    }

    /// Starts loading at a place, whatever was loaded before.
    pub(crate) fn start_at(&mut self, shared: &mut Shared, place: Place) {
        for fragment in core::mem::take(&mut self.queue) {
            let appending = matches!((self.busy, fragment.id()), (Some(Busy::Fragment { id }), Some(own)) if id == own);
            if !appending {
                shared.drop_request(fragment.id());
            }
        }
        self.cursor = Some(place);
        self.unlisted = None;
        self.refused_hint = None;
        self.gap = false;
        self.loaded_end_s = None;
    }

    /// Goes on loading so that there is media at `to_s`; `fallback` is where to start if that place is unknown.
    pub(crate) fn reposition(&mut self, shared: &mut Shared, to_s: f64, fallback: Option<Place>) {
        let end_s = self.loaded_end_s.unwrap_or(f64::MIN);
        let held = self.ranges.at(to_s);
        let goes_on = held.is_some_and(|(_, end)| end >= end_s - CONTINUES_S);
        let coming = end_s <= to_s && to_s < end_s + self.queued_s();
        if goes_on || coming {
            return;
        }
        let from_s = held.map_or(to_s, |(_, end)| end);
        if let Some(place) = self.place_at(from_s).or(fallback) {
            self.start_at(shared, place);
        }
    }

    /// The start of the segment that holds a presentation time.
    pub(crate) fn place_at(&self, time_s: f64) -> Option<Place> {
        let playlist = self.playlist()?;
        let mut start_s = self.time_of(Place::segment(playlist.first_msn))?;
        for (msn, segment) in playlist.numbered() {
            start_s += segment.duration_s;
            if time_s < start_s {
                return Some(Place::segment(msn));
            }
        }
        None
    }

    /// When a place is to be shown, from what has been appended.
    pub(crate) fn time_of(&self, place: Place) -> Option<f64> {
        let (msn, time_s) = self.anchor?;
        Some(time_s + self.playlist()?.distance_s(msn, place.msn)? + self.before_part_s(place))
    }

    fn before_part_s(&self, place: Place) -> f64 {
        let segment = self.playlist().and_then(|playlist| playlist.segment(place.msn));
        segment.map_or(0.0, |segment| segment.parts.iter().take(place.part).map(|part| part.duration_s).sum())
    }

    /// Ends all requests.
    pub(crate) fn close(mut self, shared: &mut Shared) {
        self.start_at(shared, Place::segment(0));
        shared.drop_request(self.follower.abandon());
        if let Some((_, mut candidate)) = self.candidate {
            shared.drop_request(candidate.abandon());
        }
        for init in self.inits {
            shared.drop_request(init.state.id());
        }
    }
}
