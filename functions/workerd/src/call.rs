use std::cell::RefCell;

use tidegate_dispatch::{Dispatch, Host, State};
use tidegate_function::{Fetched, Input, Loaded, Reach, Request, Stored, World};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{pairs, step::Step};

thread_local! {
    // What this isolate remembers between requests. JavaScript runs between calls, never within one.
    static STATE: RefCell<State> = RefCell::default();
}

/// One request on its way to an answer.
#[wasm_bindgen]
pub struct Call {
    dispatch: Dispatch,
    world: World,
    /// What was asked of the bucket last: reading and writing are answered alike.
    wrote: bool,
    /// It was a write on a condition.
    guarded: bool,
}

#[wasm_bindgen]
impl Call {
    /// Starts on a request; `headers` are lines of `name: value` with names in lower case. `holds` lists parts and keeps requests open.
    #[wasm_bindgen(constructor)]
    pub fn new(method: String, path: String, query: String, headers: &str, body: Vec<u8>, holds: bool) -> Self {
        let (host, reach) = if holds { (Host::Holds, Reach::Blocking) } else { (Host::Answers, Reach::Segments) };
        let request = Request { method, path, query, headers: pairs(headers), body, waited: None, reach };
        Self { dispatch: Dispatch::new(request, host), world: World { now_utc_ms: 0, random: [0; 32] }, wrote: false, guarded: false }
    }

    /// Says what comes next, at this time (ms since 1970) and with 32 random bytes that nobody can guess.
    pub fn poll(&mut self, now_ms: f64, random: &[u8]) -> Step {
        self.world.now_utc_ms = now_ms.max(0.0) as u64;
        self.world.random.iter_mut().zip(random).for_each(|(to, from)| *to = *from);
        let step = Step::from(STATE.with_borrow_mut(|state| self.dispatch.poll(state, &self.world)));
        self.wrote = matches!(step.method().as_str(), "PUT" | "DELETE");
        self.guarded = step.headers().contains("if-match: ");
        step
    }

    /// Takes the answer to an `object`; status 0 where there was none.
    pub fn object(&mut self, now_ms: f64, status: u16, etag: Option<String>, bytes: Vec<u8>) {
        let input = match (status, self.wrote) {
            (200 | 206, false) => Input::Fetched(Fetched::Got { bytes, etag }),
            (404 | 416, false) => Input::Fetched(Fetched::Missing),
            (_, false) => Input::Fetched(Fetched::Failed),
            (200..=299, true) => Input::Stored(Stored::Done { etag }),
            (409 | 412, true) => Input::Stored(Stored::Conflict),
            // S3 says this of `If-Match` where there is no object, and of a delete that has nothing to do.
            (404, true) if self.guarded => Input::Stored(Stored::Conflict),
            (404, true) => Input::Stored(Stored::Done { etag: None }),
            (_, true) => Input::Stored(Stored::Failed),
        };
        self.handle(now_ms, input);
    }

    /// Takes the answer to a `load`; status 0 where there was none, 413 with no headers where it was too long.
    pub fn loaded(&mut self, now_ms: f64, status: u16, headers: &str, body: Vec<u8>) {
        let loaded = match status {
            0 => Loaded::Failed,
            413 if headers.is_empty() => Loaded::TooLarge,
            status => Loaded::Got { status, headers: pairs(headers), body },
        };
        self.handle(now_ms, Input::Loaded(loaded));
    }
}

impl Call {
    fn handle(&mut self, now_ms: f64, input: Input) {
        self.world.now_utc_ms = now_ms.max(0.0) as u64;
        STATE.with_borrow_mut(|state| self.dispatch.handle(state, &self.world, input));
    }
}
