use alloc::{
    borrow::ToOwned as _,
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use tidegate_beacon::Counted;
use tidegate_function::{Answer, Condition, Fetched, HOPS, Header, Input, Output, Request, Stored, World};
use tidegate_stream::{AnalyticsKey, Key, MetaKey, StreamId, report_stream, token_prefix};

use crate::{
    heard::HEARD,
    state::State,
    viewer::{EDGE, place, viewer},
};

/// One report on its way to being counted.
#[derive(Debug)]
pub struct Job {
    request: Request,
    step: Step,
    tick: Tick,
}

/// Writes down what has been counted, as far as it is due.
#[derive(Debug)]
struct Tick {
    /// The instance ends: everything is written.
    end: bool,
    writes: usize,
    answer: Option<Answer>,
}

#[derive(Debug)]
enum Step {
    Begin,
    /// Is there such a stream?
    Look(StreamId),
    /// It has never been live. Has somebody made it?
    LookUp(StreamId),
    /// What viewers of this day are told apart with.
    ReadSalt(StreamId, u64),
    MakeSalt(StreamId, u64, [u8; 32]),
    /// It was made by somebody else in between.
    ReadOtherSalt(StreamId, u64),
    Count(StreamId),
    /// What the host tells of its own.
    AddHops,
    Write,
}

/// The path of a request that only writes down what is due; with `end` as its query, everything.
pub const TICK: &str = "/tidegate-tick";
/// The query of a report whose lines players have said in requests for something else, as a host has heard them.
const REQUESTS: &str = "requests";
/// The body of a report; hosts have this bound too.
const BODY_BYTES: usize = 64 << 10;
/// Objects written for one request: an open minute, and minutes that the store did not take before.
const WRITES_MAX: usize = 8;
/// Lines of a host that are read at once.
const HOPS_MAX: usize = 1024;
const DAY_MS: u64 = 86_400_000;

/// The address of a report as the step knows it that says who may watch: below the stream. `/beacon/<stream>` is the short one.
#[must_use]
pub fn report_path(path: &str) -> Option<String> {
    let (token, path) = tidegate_stream::split_token(path);
    let stream = report_stream(path)?;
    Some(format!("{}/live/{stream}/beacon", token.map(token_prefix).unwrap_or_default()))
}

impl Job {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        // No viewer's request is without a method: a host asks now and then, and for the last time before it takes the instance away.
        let is_own = |path| request.path == path && request.method.is_empty();
        let (is_tick, tells_hops) = (is_own(TICK), is_own(HOPS));
        let tick = Tick { end: is_tick && request.query == "end", writes: 0, answer: None };
        let step = if is_tick {
            Step::Write
        } else if tells_hops {
            Step::AddHops
        } else if let (true, Ok(stream)) = (is_own(HEARD), StreamId::parse(&request.query)) {
            Step::Look(stream)
        } else {
            Step::Begin
        };
        Self { request, step, tick }
    }

    fn refuse(&mut self, status: u16, why: &str) -> Output {
        self.step = Step::Write;
        self.tick.answer = Some(answer(status, &[], why));
        self.tick.writes = WRITES_MAX;
        self.answer()
    }

    fn answer(&self) -> Output {
        Output::Answer(self.tick.answer.clone().unwrap_or_else(|| answer(204, &[], "")))
    }

    /// What the request is for, or why it is for nothing.
    fn stream(&self) -> Result<StreamId, Answer> {
        let Request { method, path, body, .. } = &self.request;
        let stream = path.strip_prefix("/live/").and_then(|path| StreamId::parse(path.strip_suffix("/beacon")?).ok());
        let Some(stream) = stream else { return Err(answer(404, &[], "there is no such stream\n")) };
        if method == "OPTIONS" {
            return Err(answer(204, &[("access-control-allow-methods", "POST"), ("access-control-max-age", "86400")], ""));
        }
        if method != "POST" {
            return Err(answer(405, &[("allow", "POST, OPTIONS")], "reports are posted\n"));
        }
        if body.len() > BODY_BYTES {
            return Err(answer(413, &[], "a report has at most 64 KiB\n"));
        }
        let kind = self.request.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        // `sendBeacon` of some players cannot say what it sends.
        if !["application/cmcd", "text/cmcd", "text/plain", ""].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(answer(415, &[], "send application/cmcd\n"));
        }
        Ok(stream)
    }

    /// Takes what a host has measured of the way of records. What is no line of it is left out.
    fn add_hops(&mut self, state: &mut State, world: &World) {
        let edge = self.request.header(EDGE).unwrap_or_default();
        let collector = state.collector(edge, world);
        for line in core::str::from_utf8(&self.request.body).unwrap_or_default().lines().take(HOPS_MAX) {
            let mut words = line.split(' ');
            let (hop, key, us) = (words.next(), words.next().and_then(Key::parse), words.next().and_then(|us| us.parse::<u32>().ok()));
            let (Some(hop @ ("visible" | "edge")), Some(Key::Record { stream, .. }), Some(us)) = (hop, key, us) else { continue };
            collector.add(&stream, world.now_utc_ms, |window| {
                let sketch = if hop == "edge" { &mut window.edge_us } else { &mut window.visible_us };
                sketch.add(us);
            });
        }
    }

    fn count(&mut self, stream: &StreamId, state: &mut State, world: &World) -> Answer {
        let now_ms = world.now_utc_ms;
        let Ok(body) = core::str::from_utf8(&self.request.body) else { return answer(400, &[], "this is not CMCD\n") };
        let salt = state.salt.filter(|(day, _)| *day == now_ms / DAY_MS).map(|(_, salt)| salt);
        let viewer = viewer(&self.request, stream, salt.as_ref().map(|salt| &salt[..]));
        let collector = state.collector(&viewer.edge, world);
        let counted = if self.request.path == HEARD {
            collector.hear_media(stream, body, &viewer, place(&self.request), now_ms)
        } else if self.request.query == REQUESTS {
            collector.hear(stream, body, &viewer, place(&self.request), now_ms)
        } else {
            collector.count(stream, body, &viewer, place(&self.request), now_ms)
        };
        match counted {
            Counted { events: 0, repeated: 0, refused: 0, redundant: 0 } => answer(400, &[], "no lines\n"),
            Counted { events: 0, repeated: 0, redundant: 0, .. } => {
                answer(400, &[], "no line is an event of CMCD version 2, or there are too many\n")
            }
            Counted { .. } => answer(204, &[], ""),
        }
    }
}

impl tidegate_function::Job for Job {
    type State = State;

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        let now_ms = world.now_utc_ms;
        let day = now_ms / DAY_MS;
        loop {
            match &self.step {
                Step::Begin => match self.stream() {
                    Ok(stream) => self.step = Step::Look(stream),
                    Err(answer) => {
                        self.tick = Tick { end: false, writes: WRITES_MAX, answer: Some(answer) };
                        self.step = Step::Write;
                    }
                },
                Step::Look(stream) => match state.is_there(stream, now_ms) {
                    Some(true) if state.needs_salt(day, now_ms) => self.step = Step::ReadSalt(stream.clone(), day),
                    Some(true) => self.step = Step::Count(stream.clone()),
                    Some(false) => return self.refuse(404, "there is no such stream\n"),
                    None => return fetch(&Key::Current { stream: stream.clone() }, false),
                },
                Step::LookUp(stream) => return fetch(&MetaKey::Stream { stream: stream.clone() }.into(), false),
                Step::ReadSalt(_, day) => return fetch(&AnalyticsKey::Salt { day: *day }.into(), false),
                Step::ReadOtherSalt(_, day) => return fetch(&AnalyticsKey::Salt { day: *day }.into(), true),
                Step::MakeSalt(_, day, salt) => {
                    let key = AnalyticsKey::Salt { day: *day };
                    let content_type = key.content_type();
                    return Output::Store { key: key.to_string(), body: salt.to_vec(), content_type, condition: Condition::Absent };
                }
                Step::AddHops => {
                    self.add_hops(state, world);
                    self.step = Step::Write;
                }
                Step::Count(stream) => {
                    let stream = stream.clone();
                    self.tick.answer = Some(self.count(&stream, state, world));
                    self.step = Step::Write;
                }
                Step::Write => return self.tick.poll(state, world),
            }
        }
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        let now_ms = world.now_utc_ms;
        let step = core::mem::replace(&mut self.step, Step::Write);
        self.step = match (step, input) {
            (Step::Look(stream), Input::Fetched(Fetched::Missing)) => Step::LookUp(stream),
            // A store that does not answer is no reason to lose a report.
            (Step::Look(stream) | Step::LookUp(stream), Input::Fetched(fetched)) => {
                state.remember(stream.clone(), !matches!(fetched, Fetched::Missing), now_ms);
                Step::Look(stream)
            }
            (Step::ReadSalt(stream, day), Input::Fetched(Fetched::Missing)) => Step::MakeSalt(stream, day, world.random),
            (Step::MakeSalt(stream, day, _), Input::Stored(Stored::Conflict)) => Step::ReadOtherSalt(stream, day),
            (Step::MakeSalt(stream, day, salt), Input::Stored(Stored::Done { .. })) => {
                state.salt = Some((day, salt));
                Step::Count(stream)
            }
            (Step::ReadSalt(stream, day) | Step::ReadOtherSalt(stream, day), Input::Fetched(Fetched::Got { bytes, .. })) => {
                match <[u8; 32]>::try_from(bytes.as_slice()) {
                    Ok(salt) => state.salt = Some((day, salt)),
                    Err(_) => state.saltless_ms = Some(now_ms),
                }
                Step::Count(stream)
            }
            (Step::ReadSalt(stream, _) | Step::MakeSalt(stream, ..) | Step::ReadOtherSalt(stream, _), _) => {
                state.saltless_ms = Some(now_ms);
                Step::Count(stream)
            }
            (Step::Write, input) => {
                self.tick.handle(state, world, input);
                Step::Write
            }
            (step, _) => step,
        };
    }
}

impl Tick {
    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        let put =
            state.collector.as_mut().filter(|_| self.writes < WRITES_MAX).and_then(|collector| collector.next(world.now_utc_ms, self.end));
        let Some(put) = put else {
            // Nothing is taken back once it is said.
            self.writes = WRITES_MAX;
            return Output::Answer(self.answer.clone().unwrap_or_else(|| answer(204, &[], "")));
        };
        let condition = if put.key.is_write_once() { Condition::Absent } else { Condition::None };
        let content_type = put.key.content_type();
        Output::Store { key: put.key.to_string(), body: put.bytes, content_type, condition }
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        self.writes += 1;
        if let (Some(collector), Input::Stored(stored)) = (&mut state.collector, input) {
            collector.done(!matches!(stored, Stored::Failed), world.now_utc_ms);
        }
    }
}

fn fetch(key: &Key, fresh: bool) -> Output {
    Output::Fetch { key: key.to_string(), range: None, fresh, ahead: Vec::new() }
}

fn answer(status: u16, more: &[(&'static str, &'static str)], line: &str) -> Answer {
    let mut headers: Vec<Header> = vec![
        ("cache-control", "no-store".into()),
        // Players are on any page, and no cookie ever counts here.
        ("access-control-allow-origin", "*".into()),
        ("access-control-allow-headers", "content-type, authorization, cta-common-access-token".into()),
    ];
    if !line.is_empty() {
        headers.push(("content-type", "text/plain; charset=utf-8".into()));
    }
    headers.extend(more.iter().map(|(name, value)| (*name, (*value).into())));
    Answer::Respond { status, headers, body: line.to_owned().into_bytes() }
}
