use tidegate_edge::{Fetched as Outcome, Named};
use tidegate_function::{Answer, Fetched, Input, Output, Request, Waited, World};
use tidegate_hls::Directives;
use tidegate_stream::{Current, Key, Path, SessionId, StreamId};

use crate::{
    State,
    answer::{preflight, refusal},
    decide::{Decision, Target, decide, settle},
};

/// One request on its way to an answer.
#[derive(Debug)]
pub struct Job {
    plan: Plan,
    waited: Option<Waited>,
    /// The object that [`Output::Fetch`] asked for last.
    asked: Option<Key>,
    reads: usize,
    /// A read failed: what is known has to do.
    failed: bool,
    /// What the host said about the key that the request waited for has been used.
    woken: bool,
}

#[derive(Debug)]
enum Plan {
    /// Nothing has to be read.
    Done(Answer),
    /// The newest session of a stream is to be found first.
    Newest(StreamId),
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
        Self { plan, waited: request.waited, asked: None, reads: 0, failed: false, woken: false }
    }

    fn fetch(&mut self, key: Key, range: Option<(u64, u64)>) -> Output {
        let name = key.to_string();
        self.asked = Some(key);
        Output::Fetch { key: name, range, fresh: false }
    }
}

impl tidegate_function::Job for Job {
    type State = State;

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        let now_utc_ms = world.now_utc_ms;
        let (stream, session, target) = match &self.plan {
            Plan::Done(answer) => return Output::Answer(answer.clone()),
            Plan::Of(stream, session, target) => (stream.clone(), session.clone(), target.clone()),
            Plan::Newest(stream) => {
                let pointer = state.pointer(stream);
                match (pointer.need(now_utc_ms), pointer.session()) {
                    (Some(key), _) if !self.failed => return self.fetch(key, None),
                    (_, Some(session)) => (stream.clone(), session.clone(), Target::Multivariant { of_stream: true }),
                    (Some(_), None) => return Output::Answer(store_failed()),
                    (None, None) => return Output::Answer(refusal(404, format_args!("nothing was published as {stream} yet"))),
                }
            }
        };
        let follower = state.follower(&stream, &session);
        if self.waited == Some(Waited::There) && !self.woken {
            self.woken = true;
            follower.wake();
        }
        // The newest parts and the renditions are known before the past is.
        let known = match target {
            Target::Multivariant { .. } | Target::Part { .. } => follower.outline(),
            Target::Media { .. } | Target::Segment { .. } => follower.timeline(),
        };
        if let Some(Decision::Answer(answer)) = known.map(|timeline| decide(timeline, &target, now_utc_ms)) {
            return Output::Answer(answer);
        }
        let may_read = !self.failed && self.reads < MAX_READS;
        if let Some(need) = follower.need(now_utc_ms).filter(|_| may_read) {
            let range = need.first_bytes.map(|count| (0, (count as u64).saturating_sub(1)));
            return self.fetch(need.key, range);
        }
        Output::Answer(match follower.timeline() {
            Some(timeline) => settle(timeline, &target, self.waited, now_utc_ms),
            None if follower.is_absent() => refusal(404, format_args!("{stream} has no session {session}")),
            None => store_failed(),
        })
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        let (Some(key), Input::Fetched(fetched)) = (self.asked.take(), input) else { return };
        let now_utc_ms = world.now_utc_ms;
        self.reads += 1;
        self.failed |= fetched == Fetched::Failed;
        match (&self.plan, &key) {
            (Plan::Newest(stream), Key::Current { .. }) => {
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
            (Plan::Newest(_) | Plan::Of(..), key) => {
                let Some((stream, session)) = owner(key) else { return };
                let outcome = match &fetched {
                    Fetched::Got { bytes, .. } => Outcome::Got(bytes),
                    Fetched::Missing => Outcome::Missing,
                    Fetched::Failed => Outcome::Failed,
                };
                state.follower(stream, session).handle(now_utc_ms, key, outcome);
                state.fit(stream, session);
            }
            (Plan::Done(_), _) => {}
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
            Some(Path::Multivariant { stream }) => return Self::Newest(stream),
            Some(Path::SessionMultivariant { stream, session }) => (stream, session, Target::Multivariant { of_stream: false }),
            // Not answered yet.
            Some(Path::IFrames { .. } | Path::Mpd { .. } | Path::SessionMpd { .. } | Path::Time) => {
                return Self::Done(refusal(404, "this is no address of a playlist, an init segment, a segment or a part"));
            }
            Some(Path::Media { stream, session, rendition }) => match Directives::parse(&request.query) {
                Ok(directives) => (stream, session, Target::Media { rendition, directives }),
                Err(error) => return Self::Done(refusal(400, error)),
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
        | Key::StreamDocument { .. }
        | Key::StreamKey { .. }
        | Key::PlaybackKeys
        | Key::Revocations
        | Key::Origin { .. } => None,
    }
}
