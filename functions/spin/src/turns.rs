//! What our host calls: one request is a few turns, in each of which the functions run until they want something.
use std::{cell::RefCell, collections::BTreeMap};

use tidegate_analytics::{EDGE, TICK, frames};
use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_function::{Answer, Input, Output, REPORTS, Request, Turn, World};

use crate::state::with_state;

/// Calls that wait for something; the host has fewer under way in one instance.
const CALLS_MOST: usize = 256;

thread_local! {
    static CALLS: RefCell<BTreeMap<u32, Call>> = const { RefCell::new(BTreeMap::new()) };
}

mod bindings {
    #![allow(unsafe_code, unreachable_pub, missing_docs, reason = "generated")]
    spin_sdk::wit_bindgen::generate!({ path: "wit", world: "driven", runtime_path: "::spin_sdk::wit_bindgen::rt" });

    struct Functions;

    impl exports::tidegate::functions::turns::Guest for Functions {
        fn turn(message: Vec<u8>) -> Vec<u8> {
            super::turn(message).say()
        }
    }

    export!(Functions);
}

fn turn(message: Vec<u8>) -> Output {
    match Turn::read(message) {
        Some(Turn::Begin { call, world, request }) => go_on(call, Call::new(request), &world),
        Some(Turn::Go { call, world, input }) => match CALLS.with_borrow_mut(|calls| calls.remove(&call)) {
            Some(mut begun) => {
                with_state(|state| begun.handle(state, &world, input));
                go_on(call, begun, &world)
            }
            None => respond(500, "there is no such call\n"),
        },
        Some(Turn::Forget { call }) => {
            CALLS.with_borrow_mut(|calls| calls.remove(&call));
            respond(204, "")
        }
        None => respond(500, "the host speaks another language\n"),
    }
}

/// Runs a call until it wants something, or is over.
fn go_on(number: u32, mut call: Call, world: &World) -> Output {
    let output = with_state(|state| call.poll(state, world));
    if !matches!(output, Output::Answer(_)) {
        let full = CALLS.with_borrow_mut(|calls| {
            let full = calls.len() >= CALLS_MOST;
            if !full {
                calls.insert(number, call);
            }
            full
        });
        if full {
            return respond(503, "too many calls at once\n");
        }
    }
    output
}

enum Call {
    One(Box<Dispatch>),
    Reports(Box<Reports>),
}

impl Call {
    fn new(mut request: Request) -> Self {
        if request.path == REPORTS {
            return Self::Reports(Box::new(Reports::new(request)));
        }
        request.headers.extend(std::env::var("TIDEGATE_EDGE").ok().map(|edge| (EDGE.to_owned(), edge)));
        Self::One(Box::new(Dispatch::new(request, Host::Moves)))
    }

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        match self {
            Self::One(dispatch) => match dispatch.poll(state, world) {
                Step::Do(output) => output,
                Step::Respond(Settled { status, headers, body }) => Output::Answer(Answer::Respond { status, headers, body }),
                Step::Send { pieces, headers } => Output::Answer(Answer::Send { pieces, headers }),
                Step::Wait { key, expect_ms, timeout_ms } => Output::Answer(Answer::Wait { key, expect_ms, timeout_ms }),
                // Only hosts that do not wait themselves are told this.
                Step::Pause { .. } => respond(503, ""),
            },
            Self::Reports(reports) => reports.poll(state, world),
        }
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        match self {
            Self::One(dispatch) => dispatch.handle(state, world, input),
            Self::Reports(reports) => reports.current.handle(state, world, input),
        }
    }
}

/// Reports that the host hands over together, counted one after the other; then what is due is written down. The answer has a line with
/// a status for each.
struct Reports {
    current: Dispatch,
    /// Those that come after it, the tick last; the first of them stands at the end.
    left: Vec<Request>,
    statuses: String,
    broken: bool,
}

impl Reports {
    fn new(asked: Request) -> Self {
        let framed = frames(&asked.body);
        let broken = framed.is_none();
        let tick = Request { path: TICK.into(), query: asked.query, ..Request::default() };
        let mut left: Vec<_> = framed.into_iter().flatten().map(|frame| frame.request).chain([tick]).collect();
        left.reverse();
        let first = left.pop().unwrap_or_default();
        Self { current: Dispatch::new(first, Host::Moves), left, statuses: String::new(), broken }
    }

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        if self.broken {
            return respond(400, "these are no reports\n");
        }
        loop {
            let status = match self.current.poll(state, world) {
                Step::Do(output) => return output,
                Step::Respond(Settled { status, .. }) => status,
                Step::Send { .. } | Step::Wait { .. } | Step::Pause { .. } => 404,
            };
            // The tick is nobody's report.
            let Some(next) = self.left.pop() else { return respond(200, &self.statuses) };
            self.statuses.push_str(&format!("{status}\n"));
            self.current = Dispatch::new(next, Host::Moves);
        }
    }
}

fn respond(status: u16, line: &str) -> Output {
    Output::Answer(Answer::Respond { status, headers: Vec::new(), body: line.into() })
}
