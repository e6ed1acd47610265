use tidegate_edge::{Fetched as Outcome, Named};
use tidegate_function::{Answer, Fetched, Input, Output, Reach, Request, Waited, World};
use tidegate_hls::{Directives, Stretch};
use tidegate_stream::{Current, Key, MetaKey, MpdKind, Path, RenditionId, SessionId, StreamDocument, StreamId};

use crate::{
    State,
    answer::{etag, preflight, refusal, time},
    decide::{Decision, Target, decide, may_be_newer, settle},
    state::Failed,
};

/// One request on its way to an answer.
#[derive(Debug)]
pub struct Job {
    plan: Plan,
    /// The address, which names the bytes of media for ever.
    path: String,
    waited: Option<Waited>,
    /// The object that [`Output::Fetch`] asked for last.
    asked: Option<Key>,
    reads: usize,
    /// A read failed: what is known has to do.
    failed: bool,
    /// What the host said about the key that the request waited for has been used.
    woken: bool,
    /// The end of the log was looked for by this request, whatever others saw a moment ago.
    looked: bool,
}

#[derive(Debug)]
enum Plan {
    /// Nothing has to be read.
    Done(Answer),
    /// The wall clock.
    Time,
    /// The newest session of a stream is to be found first.
    Newest(StreamId, Target),
    /// This, of that session.
    Of(StreamId, SessionId, Target),
}

/// Objects that one request may read: the chapters of a recording of 24 h, and records beside them. What was read stays known, so
/// that the next request goes on from there.
const MAX_READS: usize = 1000;

impl Job {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        let plan = Plan::new(&request);
        Self { plan, path: request.path, waited: request.waited, asked: None, reads: 0, failed: false, woken: false, looked: false }
    }

    fn fetch(&mut self, key: Key, range: Option<(u64, u64)>) -> Output {
        let name = key.to_string();
        self.asked = Some(key);
        Output::Fetch { key: name, range, fresh: false, ahead: Vec::new() }
    }

    fn next(&mut self, state: &mut State, world: &World) -> Output {
        let now_utc_ms = world.now_utc_ms;
        let (stream, session, target) = match &self.plan {
            Plan::Done(answer) => return Output::Answer(answer.clone()),
            Plan::Of(stream, session, target) => (stream.clone(), session.clone(), target.clone()),
            Plan::Time => return Output::Answer(time(now_utc_ms)),
            Plan::Newest(stream, target) => {
                let (stream, target) = (stream.clone(), target.clone());
                let pointer = state.pointer(&stream);
                match (pointer.need(now_utc_ms), pointer.session()) {
                    (Some(key), _) if !self.failed => return self.fetch(key, None),
                    (_, Some(session)) => (stream, session.clone(), target),
                    (Some(_), None) => return Output::Answer(store_failed()),
                    (None, None) => {
                        let known = state.document(&stream);
                        if known.is_due(now_utc_ms) && !self.failed {
                            return self.fetch(Key::Meta(MetaKey::Stream { stream }), None);
                        }
                        return Output::Answer(match &known.document {
                            Some(_) => not_live(&stream),
                            None => refusal(404, format_args!("nothing was published as {stream} yet")),
                        });
                    }
                }
            }
        };
        let mut document = None;
        if matches!(target, Target::Multivariant { .. }) {
            let known = state.document(&stream);
            if known.is_due(now_utc_ms) && !self.failed {
                return self.fetch(Key::Meta(MetaKey::Stream { stream }), None);
            }
            document.clone_from(&known.document);
        }
        let follower = state.follower(&stream, &session);
        if self.waited == Some(Waited::There) && !self.woken {
            self.woken = true;
            follower.wake();
        }
        // The newest parts and the renditions are known before the past is.
        let known = match target {
            Target::Multivariant { .. } | Target::Part { .. } => follower.outline(),
            Target::Media { .. } | Target::Segment { .. } | Target::Mpd { .. } => follower.timeline(),
        };
        if let Some(Decision::Answer(answer)) = known.map(|timeline| decide(timeline, &target, document.as_ref(), now_utc_ms)) {
            return Output::Answer(answer);
        }
        // Media is asked for by name where another instance has listed or hinted it: before that is denied, the log is read to its end.
        if !self.looked && known.is_some_and(|timeline| may_be_newer(timeline, &target)) {
            self.looked = true;
            follower.wake();
        }
        let may_read = !self.failed && self.reads < MAX_READS;
        if let Some(need) = follower.need(now_utc_ms).filter(|_| may_read) {
            let range = need.first_bytes.map(|count| (0, (count as u64).saturating_sub(1)));
            return self.fetch(need.key, range);
        }
        Output::Answer(match follower.timeline() {
            // An old playlist that is sent as a live one makes players wait where they could go to another edge.
            Some(_) if self.failed && follower.is_cut_off(now_utc_ms) && matches!(target, Target::Media { .. }) => store_failed(),
            Some(timeline) => match settle(timeline, &target, self.waited, follower.date_ms(now_utc_ms)) {
                // What it waits for is there and cannot be read: it would wait, and be woken, without end.
                Answer::Wait { .. } if follower.is_damaged() => refusal(503, "a record of the log has been changed: it goes on after it"),
                answer => answer,
            },
            None if follower.is_absent() => refusal(404, format_args!("{stream} has no session {session}")),
            None => store_failed(),
        })
    }
}

impl tidegate_function::Job for Job {
    type State = State;

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        let mut output = self.next(state, world);
        if let Output::Answer(Answer::Send { headers, .. }) = &mut output {
            headers.push(etag(&self.path));
        }
        output
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        let (Some(key), Input::Fetched(fetched)) = (self.asked.take(), input) else { return };
        let now_utc_ms = world.now_utc_ms;
        self.reads += 1;
        if let Key::Meta(MetaKey::Stream { stream }) = &key {
            // A playlist without a title is better than none.
            state.document(stream).take(now_utc_ms, document(&fetched));
            return;
        }
        self.failed |= fetched == Fetched::Failed;
        match (&self.plan, &key) {
            (Plan::Newest(stream, _), Key::Current { .. }) => {
                let named = match &fetched {
                    Fetched::Got { bytes, .. } => {
                        serde_json::from_slice(bytes).map_or(Named::Unknown, |current: Current| Named::Session(current.session))
                    }
                    Fetched::Missing => Named::Nothing,
                    Fetched::Failed => Named::Unknown,
                };
                // A document that does not read is no better than none.
                self.failed |= named == Named::Unknown;
                state.pointer(stream).handle(now_utc_ms, named);
            }
            (Plan::Newest(..) | Plan::Of(..), key) => {
                let Some((stream, session)) = owner(key) else { return };
                let outcome = match &fetched {
                    Fetched::Got { bytes, age_ms, .. } => Outcome::Got { bytes, age_ms: *age_ms },
                    Fetched::Missing => Outcome::Missing,
                    Fetched::Failed => Outcome::Failed,
                };
                state.follower(stream, session).handle(now_utc_ms, key, outcome);
                state.fit(stream, session);
            }
            (Plan::Done(_) | Plan::Time, _) => {}
        }
    }
}

impl Plan {
    fn new(request: &Request) -> Self {
        match request.method.as_str() {
            "GET" | "HEAD" => {}
            "OPTIONS" => return Self::Done(preflight()),
            _ => return Self::Done(refusal(405, "only GET, HEAD and OPTIONS are answered here")),
        }
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let (stream, session, target) = match Path::parse(path) {
            None => return Self::Done(refusal(404, "this is no address of a playlist, an init segment, a segment or a part")),
            Some(Path::Time) => return Self::Time,
            Some(Path::Multivariant { stream }) => {
                return match Stretch::parse(&request.query) {
                    Ok(stretch) => Self::Newest(stream, Target::Multivariant { of_stream: true, stretch }),
                    Err(error) => Self::Done(refusal(400, error)),
                };
            }
            Some(Path::Mpd { stream, kind }) => {
                return match Stretch::parse(&request.query) {
                    Ok(stretch) => Self::Newest(stream, Target::Mpd { of_stream: true, kind: within(kind, request.reach), stretch }),
                    Err(error) => Self::Done(refusal(400, error)),
                };
            }
            Some(Path::SessionMpd { stream, session, kind }) => match Stretch::parse(&request.query) {
                Ok(stretch) => (stream, session, Target::Mpd { of_stream: false, kind: within(kind, request.reach), stretch }),
                Err(error) => return Self::Done(refusal(400, error)),
            },
            Some(Path::SessionMultivariant { stream, session }) => match Stretch::parse(&request.query) {
                Ok(stretch) => (stream, session, Target::Multivariant { of_stream: false, stretch }),
                Err(error) => return Self::Done(refusal(400, error)),
            },
            Some(Path::Media { stream, session, rendition }) => match media(rendition, request, false) {
                Ok(target) => (stream, session, target),
                Err(refused) => return Self::Done(refused),
            },
            Some(Path::IFrames { stream, session, rendition }) => match media(rendition, request, true) {
                Ok(target) => (stream, session, target),
                Err(refused) => return Self::Done(refused),
            },
            Some(Path::Init { stream, session, rendition, config }) => {
                let key = Key::Init { stream, session, rendition, config };
                return Self::Done(crate::decide::whole(&key));
            }
            Some(Path::Segment { stream, session, rendition, msn }) => (stream, session, Target::Segment { rendition, msn }),
            Some(Path::Part { stream, session, rendition, msn, part }) => (stream, session, Target::Part { rendition, msn, part }),
        };
        Self::Of(stream, session, target)
    }
}

/// The parts of a low-latency presentation are asked for before they are there.
fn within(kind: MpdKind, reach: Reach) -> MpdKind {
    if reach == Reach::Blocking { kind } else { MpdKind::Whole }
}

/// A media playlist as its query asks for it, or why not.
fn media(rendition: RenditionId, request: &Request, i_frames: bool) -> Result<Target, Answer> {
    let mut directives = Directives::parse(&request.query).map_err(|error| refusal(400, error))?;
    let reach = match request.reach {
        Reach::Blocking => tidegate_hls::Reach::Blocking,
        Reach::Parts => tidegate_hls::Reach::Parts,
        Reach::Segments => tidegate_hls::Reach::Segments,
    };
    if request.reach != Reach::Blocking {
        // What was not offered is not done (rfc8216bis, 6.2.5.2): a player that goes from edge to edge may bring it along.
        directives = Directives { skip: directives.skip, ..Directives::default() };
    }
    let stretch = Stretch::parse(&request.query).map_err(|error| refusal(400, error))?;
    Ok(Target::Media { rendition, directives, stretch, i_frames, reach })
}

fn document(fetched: &Fetched) -> Result<Option<StreamDocument>, Failed> {
    match fetched {
        Fetched::Got { bytes, .. } => serde_json::from_slice(bytes).map(Some).map_err(|_| Failed),
        Fetched::Missing => Ok(None),
        Fetched::Failed => Err(Failed),
    }
}

/// Players ask again after a 503 and give up after a 404: a stream that is known will be live sooner or later.
fn not_live(stream: &StreamId) -> Answer {
    refusal(503, format_args!("{stream} is not live yet"))
}

fn store_failed() -> Answer {
    refusal(503, "the store does not answer")
}

/// The session that an object of a follower belongs to.
fn owner(key: &Key) -> Option<(&StreamId, &SessionId)> {
    match key {
        Key::Head { stream, session } | Key::Chapter { stream, session, .. } | Key::Record { stream, session, .. } => {
            Some((stream, session))
        }
        Key::Current { .. }
        | Key::StaticMultivariant { .. }
        | Key::Segment { .. }
        | Key::Init { .. }
        | Key::SessionMultivariant { .. }
        | Key::StaticMedia { .. }
        | Key::StaticIFrames { .. }
        | Key::Meta(_)
        | Key::Analytics(_) => None,
    }
}
