use tidegate_edge::{Verdict, Wanted, gate};
use tidegate_function::{Answer, Piece, Waited};
use tidegate_hls::{Clip, Description, Directives, MultivariantOptions, Reach, Shown, Stretch, View, i_frames, media, multivariant};
use tidegate_stream::{AsOf, Key, MpdKind, Msn, Part, PartIndex, Position, RenditionId, RenditionKind, Segment, StreamDocument, Timeline};

use crate::answer::{self, Keep, Urgency, playlist, refusal};

/// What of a session is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The multivariant playlist, at the address of the stream or at that of the session.
    Multivariant { of_stream: bool, stretch: Option<Stretch> },
    /// The DASH presentation, in the same way.
    Mpd { of_stream: bool, kind: MpdKind, stretch: Option<Stretch> },
    /// A media playlist, or that of the key frames.
    Media { rendition: RenditionId, directives: Directives, stretch: Option<Stretch>, i_frames: bool, reach: Reach },
    /// A segment.
    Segment { rendition: RenditionId, msn: Msn },
    /// A part.
    Part { rendition: RenditionId, msn: Msn, part: PartIndex },
}

/// What the timeline has to say to a request.
pub(crate) enum Decision {
    /// The answer, whatever comes.
    Answer(Answer),
    /// It depends on what comes next in the log.
    ReadOn,
}

/// What can be said before the log has been read to its end.
pub(crate) fn decide(timeline: &Timeline, target: &Target, document: Option<&StreamDocument>, now_utc_ms: u64) -> Decision {
    if let Target::Multivariant { stretch: Some(stretch), .. }
    | Target::Media { stretch: Some(stretch), .. }
    | Target::Mpd { stretch: Some(stretch), .. } = target
        && timeline.start_utc_us().is_some()
        && let Err(error) = stretch.check(timeline)
    {
        return Decision::Answer(refusal(400, error));
    }
    let answer = match target {
        Target::Multivariant { of_stream, stretch } => {
            (!timeline.periods().is_empty()).then(|| multivariant_of(timeline, *of_stream, stretch.as_ref(), document))
        }
        Target::Mpd { of_stream, kind, stretch } => match stretch.as_ref().map(|stretch| stretch.find(timeline)) {
            Some(Shown::Clip(clip)) if is_complete(timeline, &clip) => Some(mpd(timeline, *of_stream, *kind, Some(clip))),
            Some(Shown::Gone) => Some(gone()),
            Some(Shown::Clip(_) | Shown::NotYet) => None,
            // An MPD shows the newest that there is.
            None => timeline.ended().then(|| mpd(timeline, *of_stream, *kind, None)),
        },
        Target::Media { rendition, directives, stretch, i_frames, reach } => with_rendition(timeline, rendition, |rendition| {
            let playlist = Playlist { rendition, skip: directives.skip, i_frames: *i_frames, clip: None, reach: *reach };
            match stretch.as_ref().map(|stretch| stretch.find(timeline)) {
                Some(Shown::Clip(clip)) => {
                    let playlist = Playlist { clip: Some(clip), ..playlist };
                    if is_complete(timeline, &clip) {
                        return Some(playlist.answer(timeline, AsOf::End, false));
                    }
                    playlist.decide(timeline, wanted(directives), now_utc_ms)
                }
                Some(Shown::Gone) => Some(gone()),
                Some(Shown::NotYet) => None,
                None => playlist.decide(timeline, wanted(directives), now_utc_ms),
            }
        }),
        Target::Segment { rendition, msn } => with_rendition(timeline, rendition, |index| segment(timeline, index, *msn, now_utc_ms)),
        Target::Part { rendition, msn, part } => {
            with_rendition(timeline, rendition, |index| part_of(timeline, index, Position { msn: *msn, part: *part }))
        }
    };
    answer.map_or(Decision::ReadOn, Decision::Answer)
}

/// Whether media may be there that this timeline does not have yet: of the open segment or the one after it.
pub(crate) fn may_be_newer(timeline: &Timeline, target: &Target) -> bool {
    let (Target::Segment { msn, .. } | Target::Part { msn, .. }) = target else { return false };
    timeline.last().is_some_and(|last| *msn == last.msn || *msn == last.msn.next())
}

/// The answer where [`decide`] had none and the log has been read to its end. `date_ms` is now, by the clock that dates the log.
pub(crate) fn settle(timeline: &Timeline, target: &Target, waited: Option<Waited>, date_ms: u64) -> Answer {
    let gave_up = waited == Some(Waited::Timeout);
    match target {
        Target::Multivariant { .. } => match gate_now(timeline, Wanted::Newest, date_ms) {
            Verdict::Wait(wait) if !gave_up => wait_for(wait),
            Verdict::Wait(_) | Verdict::Ready { .. } | Verdict::Refuse(_) => refusal(404, "the session has no media yet"),
        },
        Target::Mpd { of_stream, kind, stretch } => match first_segment(timeline, &Directives::default(), date_ms) {
            Verdict::Wait(wait) if !gave_up => wait_for(wait),
            Verdict::Wait(_) | Verdict::Ready { .. } | Verdict::Refuse(_) if timeline.periods().is_empty() => {
                refusal(404, "the session has no media yet")
            }
            Verdict::Wait(_) | Verdict::Ready { .. } | Verdict::Refuse(_) => match stretch.as_ref().map(|stretch| stretch.find(timeline)) {
                Some(Shown::Clip(clip)) => mpd(timeline, *of_stream, *kind, Some(clip)),
                Some(Shown::NotYet | Shown::Gone) => not_begun(),
                None => mpd(timeline, *of_stream, *kind, None),
            },
        },
        Target::Media { rendition, directives, stretch, i_frames, reach } => {
            let Some((index, _)) = timeline.session().rendition(rendition) else { return no_rendition(rendition) };
            let clip = match stretch.as_ref().map(|stretch| stretch.find(timeline)) {
                Some(Shown::Clip(clip)) => Some(clip),
                Some(Shown::NotYet | Shown::Gone) => return not_begun(),
                None => None,
            };
            let playlist = Playlist { rendition: index, skip: directives.skip, i_frames: *i_frames, clip, reach: *reach };
            match gate_now(timeline, wanted(directives), date_ms) {
                Verdict::Ready { as_of, named } => match first_segment(timeline, directives, date_ms) {
                    Verdict::Wait(wait) if !gave_up => wait_for(wait),
                    Verdict::Wait(_) if *reach == Reach::Segments => refusal(503, "the first segment is not complete yet"),
                    Verdict::Wait(_) | Verdict::Ready { .. } | Verdict::Refuse(_) => playlist.answer(timeline, as_of, named),
                },
                Verdict::Wait(wait) if !gave_up => wait_for(wait),
                Verdict::Wait(_) => refusal(503, "the stream does not go on"),
                Verdict::Refuse(why) => refusal(400, why),
            }
        }
        Target::Segment { msn, .. } => denied(timeline, target, format_args!("segment {msn} is not complete yet")),
        Target::Part { msn, part, .. } => {
            let asked = Position { msn: *msn, part: *part };
            match gate_now(timeline, Wanted::Part(asked), date_ms) {
                Verdict::Wait(wait) if !gave_up && is_next(timeline, asked) => wait_for(wait),
                // It is still hinted: who asks again may get it.
                Verdict::Wait(_) if is_next(timeline, asked) => refusal(503, "the stream does not go on"),
                Verdict::Wait(_) | Verdict::Ready { .. } | Verdict::Refuse(_) => {
                    denied(timeline, target, format_args!("part {part} of segment {msn} is not there"))
                }
            }
        }
    }
}

/// Media that is not there. No cache may go on saying so once it is listed.
fn denied(timeline: &Timeline, target: &Target, why: std::fmt::Arguments<'_>) -> Answer {
    if may_be_newer(timeline, target) { answer::not_yet(why) } else { refusal(404, why) }
}

/// An object as it is.
pub(crate) fn whole(key: &Key) -> Answer {
    answer::media(vec![Piece { key: key.to_string(), range: None }], "video/mp4", Urgency::FIRST)
}

fn wanted(directives: &Directives) -> Wanted {
    match (directives.msn, directives.part) {
        (Some(msn), Some(part)) => Wanted::Part(Position { msn, part }),
        (Some(msn), None) => Wanted::Segment(msn),
        // A part of no segment is refused when the query is read.
        (None, _) => Wanted::Newest,
    }
}

fn gate_now(timeline: &Timeline, wanted: Wanted, now_utc_ms: u64) -> Verdict {
    gate(timeline, wanted, i64::try_from(now_utc_ms.saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// A playlist without a complete segment makes many players give up (hls.js: "No Segments found in Playlist"; ffmpeg: end of file).
/// Who only asks for the playlist gets it as of the end of the first segment; who names a part knows what to do with parts.
fn first_segment(timeline: &Timeline, directives: &Directives, now_utc_ms: u64) -> Verdict {
    let only = timeline
        .last()
        .filter(|last| directives.msn.is_none() && timeline.window(last.msn).next().is_some_and(|first| first.msn == last.msn));
    gate_now(timeline, only.map_or(Wanted::Newest, |last| Wanted::Segment(last.msn)), now_utc_ms)
}

fn wait_for(wait: tidegate_edge::Wait) -> Answer {
    Answer::Wait { key: wait.key.to_string(), expect_ms: wait.expect_ms.into(), timeout_ms: wait.timeout_ms.into() }
}

/// Parts of the open segment up to this far ahead are waited for: an MPD announces them all, and players ask for two at once or by a clock
/// that the parts are behind. Shaka takes a status other than 200 for an error that it shows.
const AHEAD_PARTS: u32 = 3;

/// Whether a part is waited for: one of the next of the open segment, or the first of the one after it; how many parts the open one will have is
/// not known, so further ones may never come.
fn is_next(timeline: &Timeline, asked: Position) -> bool {
    timeline.last().is_some_and(|last| {
        let ahead = asked.part.0.checked_sub(last.part.0).filter(|_| asked.msn == last.msn);
        ahead.is_some_and(|ahead| (1..=AHEAD_PARTS).contains(&ahead)) || asked == Position { msn: last.msn.next(), part: PartIndex(0) }
    })
}

fn no_rendition(rendition: &RenditionId) -> Answer {
    refusal(404, format_args!("the session has no rendition {rendition}"))
}

fn multivariant_of(timeline: &Timeline, of_stream: bool, stretch: Option<&Stretch>, document: Option<&StreamDocument>) -> Answer {
    let prefix = prefix(timeline, of_stream);
    let query = stretch.map(|stretch| stretch.query(timeline)).unwrap_or_default();
    let description = document.map_or_else(Description::default, |document| Description {
        title: &document.title,
        text: &document.description,
        tags: &document.tags,
    });
    let options = MultivariantOptions { prefix: &prefix, query: &query, description, i_frames: true };
    // The next session may start, and what is said about the stream may change, at any time.
    playlist(multivariant(timeline, &options), if of_stream { Keep::MOMENT } else { Keep::DESCRIPTION })
}

fn prefix(timeline: &Timeline, of_stream: bool) -> String {
    if of_stream { format!("{}/", timeline.session().id) } else { String::new() }
}

fn mpd(timeline: &Timeline, of_stream: bool, kind: MpdKind, clip: Option<Clip>) -> Answer {
    let prefix = prefix(timeline, of_stream);
    let ended = clip.map_or_else(|| timeline.ended(), |clip| is_complete(timeline, &clip));
    let clip = clip.map(|clip| tidegate_dash::Clip { first: clip.first, last: clip.last.filter(|_| ended) });
    let text = tidegate_dash::mpd(timeline, &tidegate_dash::Options { kind, prefix: &prefix, time_uri: "/time", clip });
    answer::mpd(text, if of_stream || !ended { Keep::MOMENT } else { Keep::ENDED })
}

/// Whether nothing more will be added to a stretch.
fn is_complete(timeline: &Timeline, clip: &Clip) -> bool {
    timeline.ended() || clip.is_complete(timeline.last().map_or(AsOf::End, AsOf::Part))
}

fn gone() -> Answer {
    refusal(404, "the start of this stretch is no longer kept")
}

fn not_begun() -> Answer {
    refusal(404, "this stretch has not begun yet")
}

/// Which playlist of a rendition is asked for.
struct Playlist {
    rendition: usize,
    skip: Option<tidegate_hls::Skip>,
    i_frames: bool,
    clip: Option<Clip>,
    reach: Reach,
}

impl Playlist {
    /// The answer, where what comes next in the log changes nothing of it.
    fn decide(&self, timeline: &Timeline, wanted: Wanted, now_utc_ms: u64) -> Option<Answer> {
        match gate_now(timeline, wanted, now_utc_ms) {
            Verdict::Ready { as_of, named } if named || as_of == AsOf::End => Some(self.answer(timeline, as_of, named)),
            Verdict::Ready { .. } | Verdict::Wait(_) | Verdict::Refuse(_) => None,
        }
    }

    fn answer(&self, timeline: &Timeline, as_of: AsOf, named: bool) -> Answer {
        let target_s = timeline.session().target_duration_s;
        let keep = match as_of {
            AsOf::End => Keep::ENDED,
            // rfc8216bis B.1: six target durations for answers to blocking requests, half a one for others.
            AsOf::Part(_) if named => Keep::Seconds(target_s.saturating_mul(6)),
            AsOf::Part(_) => Keep::Seconds((target_s / 2).max(1)),
        };
        let view = View { rendition: self.rendition, as_of, skip: self.skip, clip: self.clip, reach: self.reach };
        playlist(if self.i_frames { i_frames(timeline, &view) } else { media(timeline, &view) }, keep)
    }
}

fn with_rendition(timeline: &Timeline, rendition: &RenditionId, answer: impl FnOnce(usize) -> Option<Answer>) -> Option<Answer> {
    match timeline.session().rendition(rendition) {
        Some((index, _)) => answer(index),
        None => Some(no_rendition(rendition)),
    }
}

fn segment(timeline: &Timeline, rendition: usize, msn: Msn, now_utc_ms: u64) -> Option<Answer> {
    let Some(segment) = timeline.segment(msn) else {
        let is_past = timeline.last().is_some_and(|last| msn <= last.msn) || timeline.ended();
        return is_past.then(|| refusal(404, format_args!("segment {msn} is not there, or no longer")));
    };
    if !timeline.is_closed(msn) {
        return None;
    }
    let pieces = match from_records(timeline, segment, now_utc_ms) {
        true => segment.parts.iter().filter_map(|part| piece_of_record(timeline, part, rendition)).collect(),
        false => piece_of_bundle(timeline, segment, rendition).into_iter().collect::<Vec<_>>(),
    };
    let place = || tidegate_dash::segment_place(timeline, segment, rendition);
    Some(media_or_gap(timeline, rendition, pieces, msn, place))
}

/// While its parts are known, a segment is sent out of the records that hold them: they are in every cache on the way, and the
/// bundle may not be there yet. Records are deleted some time after the bundle is there.
fn from_records(timeline: &Timeline, segment: &Segment, now_utc_ms: u64) -> bool {
    let end_ms = timeline.segments().back().map_or(0, |last| u64::try_from(last.utc_us / 1000).unwrap_or(0));
    let expired = timeline.ended() && now_utc_ms.saturating_sub(end_ms) > RECORDS_AFTER_END_MS;
    !expired && !segment.parts.is_empty()
}

/// Workers keep records for 60 s after their segment bundle is there; half of that is safe for clocks that differ.
const RECORDS_AFTER_END_MS: u64 = 30_000;

fn part_of(timeline: &Timeline, rendition: usize, at: Position) -> Option<Answer> {
    let segment = timeline.segment(at.msn);
    let Some((segment, part)) = segment.and_then(|segment| Some((segment, segment.parts.get(at.part.0 as usize)?))) else {
        let is_past = timeline.is_closed(at.msn) || timeline.ended();
        return is_past.then(|| refusal(404, format_args!("segment {} has no part {}, or no longer", at.msn, at.part)));
    };
    let pieces = piece_of_record(timeline, part, rendition).into_iter().collect();
    let place = || tidegate_dash::part_place(timeline, segment, part, rendition);
    Some(media_or_gap(timeline, rendition, pieces, at.msn, place))
}

/// In HLS a gap is marked and nobody asks for it. DASH players ask for every number, and what they cannot load ends them: they get a
/// fragment that says that there is nothing, append it, and go on behind it.
fn media_or_gap(timeline: &Timeline, rendition: usize, pieces: Vec<Piece>, msn: Msn, place: impl FnOnce() -> (u64, u64)) -> Answer {
    let kind = timeline.session().renditions.get(rendition).map(|rendition| rendition.kind);
    let content_type = if kind == Some(RenditionKind::Audio) { "audio/mp4" } else { "video/mp4" };
    if pieces.is_empty() {
        let (start, duration) = place();
        return answer::gap(tidegate_cmaf::write_gap(msn.0 as u32, start, duration), content_type);
    }
    answer::media(pieces, content_type, urgency(timeline, rendition))
}

/// Sound goes with the lowest picture: it is small, and nothing plays without it.
fn urgency(timeline: &Timeline, rendition: usize) -> Urgency {
    let renditions = &timeline.session().renditions;
    let is_video = |index: usize| renditions.get(index).is_some_and(|rendition| rendition.kind == RenditionKind::Video);
    let Some(period) = timeline.periods().last().filter(|_| is_video(rendition)) else { return Urgency::FIRST };
    let rate = |index: usize| period.tracks.get(index).and_then(|track| Some(track.as_ref()?.bandwidth_bps));
    let own = rate(rendition);
    Urgency::of_rung((0..renditions.len()).filter(|index| is_video(*index) && rate(*index).is_some() && rate(*index) < own).count())
}

fn piece_of_record(timeline: &Timeline, part: &Part, rendition: usize) -> Option<Piece> {
    let track = part.tracks.get(rendition)?;
    let session = timeline.session();
    let key = Key::Record { stream: session.stream.clone(), session: session.id.clone(), number: part.record };
    piece(&key, track.offset.into(), track.len)
}

fn piece_of_bundle(timeline: &Timeline, segment: &Segment, rendition: usize) -> Option<Piece> {
    let track = segment.tracks.get(rendition)?;
    let session = timeline.session();
    let key = Key::Segment { stream: session.stream.clone(), session: session.id.clone(), msn: segment.msn };
    piece(&key, track.offset, track.len)
}

fn piece(key: &Key, offset: u64, len: u32) -> Option<Piece> {
    let last = offset.checked_add(u64::from(len))?.checked_sub(1).filter(|_| len > 0)?;
    Some(Piece { key: key.to_string(), range: Some((offset, last)) })
}
