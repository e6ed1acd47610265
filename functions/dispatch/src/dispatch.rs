use tidegate_analytics::heard;
use tidegate_function::{Answer, Fetched, Header, Input, Output, Piece, Request, Waited, World};

use crate::{
    function::{State, Task, begin},
    gather::{Gather, refuse, unchanged},
    wait::Wait,
};

/// What a function asks for before it answers; functions stop at fewer.
const STEPS: usize = 1024;
/// Waits for one request, where no host does the waiting. A viewer may ask three target durations ahead: 30 parts of 0.2 s.
const WAITS: usize = 64;
/// The longest that a request is held, where no host does the holding.
const HELD_MS: u64 = 20_000;

/// What the host does beside reading and writing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// It watches keys and sends pieces of objects: ours.
    Moves,
    /// It keeps a request open: keys are looked for again and again.
    Holds,
    /// It is paid by the millisecond: nothing is waited for.
    Answers,
}

/// What the host is to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Do this and say what came of it; never an answer.
    Do(Output),
    /// Sleep, and ask again.
    Pause {
        /// For this long.
        ms: u64,
    },
    /// Send this; the request is over.
    Respond(Settled),
    /// Send these pieces; only on a host that [`Moves`](Host::Moves) bytes.
    Send {
        /// The pieces; never none.
        pieces: Vec<Piece>,
        /// The headers, without content-length.
        headers: Vec<Header>,
    },
    /// Watch this key and ask again; only on a host that [`Moves`](Host::Moves) bytes.
    Wait {
        /// The object.
        key: String,
        /// It is expected in this many ms.
        expect_ms: u64,
        /// Wait no longer than this many ms.
        timeout_ms: u64,
    },
}

/// An answer with all of its bytes. For HEAD the host leaves out the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The status code.
    pub status: u16,
    /// The headers, without content-length.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
}

/// One request on its way to an answer.
pub struct Dispatch {
    host: Host,
    request: Request,
    range: Option<String>,
    stage: Stage,
    since_ms: Option<u64>,
    steps: usize,
    waits: usize,
    /// An object that a wait has read already.
    read: Option<(String, Fetched)>,
    /// What the player has said in the request, where the host does not listen itself.
    heard: Option<Request>,
}

enum Stage {
    Function(Box<dyn Task>),
    Waiting(Wait),
    Gathering(Gather),
    /// The answer stands; what was heard in the request is counted before it goes out, since some hosts do nothing afterwards.
    Counting(Box<dyn Task>, Settled),
    Over(Step),
}

impl Dispatch {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request, host: Host) -> Self {
        // A range of a body that has changed would be of no use (RFC 9110, 13.1.5); the whole is always right.
        let range = request.header("range").filter(|_| request.header("if-range").is_none()).map(str::to_owned);
        let heard = (host != Host::Moves).then(|| heard(&request)).flatten();
        let stage = Stage::Function(begin(request.clone()));
        Self { heard, host, request, range, stage, since_ms: None, steps: 0, waits: 0, read: None }
    }

    /// Says what comes next. After [`Step::Do`] comes [`Self::handle`], after [`Step::Pause`] the next `poll`.
    pub fn poll(&mut self, state: &mut State, world: &World) -> Step {
        loop {
            let next = match &mut self.stage {
                Stage::Over(Step::Respond(settled)) if self.heard.is_some() => {
                    let is_media = matches!(settled.status, 200 | 206);
                    let task = self.heard.take().filter(|_| is_media).map(begin);
                    match (task, std::mem::replace(&mut self.stage, over(refuse(503, "")))) {
                        (Some(task), Stage::Over(Step::Respond(settled))) => Stage::Counting(task, settled),
                        (_, stage) => stage,
                    }
                }
                Stage::Over(step) => return step.clone(),
                Stage::Counting(task, settled) => match task.poll(state, world) {
                    Output::Answer(_) => over(std::mem::replace(settled, refuse(503, ""))),
                    _ if self.steps >= STEPS => over(std::mem::replace(settled, refuse(503, ""))),
                    output => return Step::Do(output),
                },
                Stage::Function(_) if self.steps >= STEPS => over(refuse(503, "too much to do for one request\n")),
                Stage::Function(task) => match (task.poll(state, world), &mut self.read) {
                    (Output::Answer(answer), _) => self.after(answer, world.now_utc_ms),
                    (Output::Fetch { key, range, .. }, read) if read.as_ref().is_some_and(|(known, _)| *known == key) => {
                        let fetched = read.take().map_or(Fetched::Failed, |(_, fetched)| match range {
                            Some(range) => fetched.cut(range),
                            None => fetched,
                        });
                        task.handle(state, world, Input::Fetched(fetched));
                        self.steps += 1;
                        continue;
                    }
                    (output, _) => return Step::Do(output),
                },
                Stage::Waiting(wait) => {
                    return match wait.pause() {
                        Some(ms) => Step::Pause { ms },
                        None => Step::Do(Output::Fetch { key: wait.key.clone(), range: None, fresh: false, ahead: Vec::new() }),
                    };
                }
                Stage::Gathering(gather) => match gather.next() {
                    Some(piece) => {
                        return Step::Do(Output::Fetch { key: piece.key.clone(), range: piece.range, fresh: false, ahead: Vec::new() });
                    }
                    None => match std::mem::replace(&mut self.stage, over(refuse(503, ""))) {
                        Stage::Gathering(gather) => over(gather.finish()),
                        other => other,
                    },
                },
            };
            self.stage = next;
        }
    }

    /// Takes what came of the last [`Step::Do`].
    pub fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        self.steps += 1;
        match &mut self.stage {
            Stage::Function(task) | Stage::Counting(task, _) => task.handle(state, world, input),
            Stage::Waiting(wait) => {
                let waited = match input {
                    Input::Fetched(got @ Fetched::Got { .. }) => {
                        self.read = Some((wait.key.clone(), got));
                        Waited::There
                    }
                    _ if wait.missed(world.now_utc_ms) => return,
                    _ => Waited::Timeout,
                };
                self.again(waited);
            }
            Stage::Gathering(gather) => {
                let Input::Fetched(fetched) = input else { return };
                if let Err(settled) = gather.take(fetched) {
                    self.stage = over(settled);
                }
            }
            Stage::Over(_) => {}
        }
    }

    /// What becomes of a function's answer on this host.
    fn after(&mut self, answer: Answer, now_ms: u64) -> Stage {
        match answer {
            Answer::Respond { status, headers, body } => over(Settled { status, headers, body }),
            Answer::Send { pieces, headers } if self.host == Host::Moves => Stage::Over(Step::Send { pieces, headers }),
            Answer::Send { headers, .. } if is_known(&self.request, &headers) => over(unchanged(headers)),
            Answer::Send { pieces, headers } => match Gather::new(pieces, headers, self.range.take()) {
                Ok(gather) => Stage::Gathering(gather),
                Err(settled) => over(settled),
            },
            Answer::Wait { key, expect_ms, timeout_ms } if self.host == Host::Moves => {
                Stage::Over(Step::Wait { key, expect_ms, timeout_ms })
            }
            Answer::Wait { .. } if self.waits >= WAITS => over(refuse(503, "the stream does not go on\n")),
            Answer::Wait { key, expect_ms, timeout_ms } => {
                self.waits += 1;
                if self.host == Host::Answers {
                    return self.restart(Waited::Timeout);
                }
                let since_ms = *self.since_ms.get_or_insert(now_ms);
                let left_ms = HELD_MS.saturating_sub(now_ms.saturating_sub(since_ms));
                Stage::Waiting(Wait::new(key, now_ms, expect_ms, timeout_ms.min(left_ms)))
            }
        }
    }

    fn again(&mut self, waited: Waited) {
        self.stage = self.restart(waited);
    }

    fn restart(&self, waited: Waited) -> Stage {
        Stage::Function(begin(Request { waited: Some(waited), ..self.request.clone() }))
    }
}

/// Whether the viewer has these bytes already (RFC 9110, 13.1.2).
fn is_known(request: &Request, headers: &[Header]) -> bool {
    let etag = headers.iter().find(|(name, _)| *name == "etag").map(|(_, etag)| etag.as_ref());
    let (Some(known), Some(etag)) = (request.header("if-none-match"), etag) else { return false };
    known.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

fn over(settled: Settled) -> Stage {
    Stage::Over(Step::Respond(settled))
}
