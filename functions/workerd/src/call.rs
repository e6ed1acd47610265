use std::cell::RefCell;

use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_function::{Condition, Fetched, Input, Loaded, Output, Reach, Request, Stored, World, number};

use crate::message::Message;

thread_local! {
    // What this isolate remembers between requests. JavaScript runs between calls, never within one.
    static STATE: RefCell<State> = RefCell::default();
}

/// One request on its way to an answer.
pub(crate) struct Call {
    dispatch: Dispatch,
    world: World,
    asked: Asked,
}

/// What JavaScript was asked for last.
#[derive(Clone, Copy)]
enum Asked {
    Nothing,
    Read,
    Write { guarded: bool },
    Load,
}

impl Call {
    pub(crate) fn new(message: Vec<u8>, holds: bool) -> Self {
        let message = Message::read(message);
        let (host, reach) = if holds { (Host::Holds, Reach::Blocking) } else { (Host::Answers, Reach::Segments) };
        let [method, path, query] = [0, 1, 2].map(|index| message.line(index).to_owned());
        let request = Request { method, path, query, headers: message.headers(3), body: message.body, waited: None, reach };
        Self { dispatch: Dispatch::new(request, host), world: World { now_utc_ms: 0, random: [0; 32] }, asked: Asked::Nothing }
    }

    /// The first line is `object` (of the bucket), `load` (of somebody else), `pause` or `respond`; then the method, the key or URL, a number (the
    /// status to respond with, the ms to pause or to wait for a load) and the most bytes of a load; then headers.
    pub(crate) fn poll(&mut self, now_ms: f64, random: &[u8]) -> Vec<u8> {
        self.world.now_utc_ms = now_ms.max(0.0) as u64;
        self.world.random.iter_mut().zip(random).for_each(|(to, from)| *to = *from);
        match STATE.with_borrow_mut(|state| self.dispatch.poll(state, &self.world)) {
            Step::Do(output) => self.ask(output),
            Step::Pause { ms } => Message::write(&["pause", "", "", &ms.to_string(), ""], [], &[]),
            Step::Respond(settled) => respond(&settled),
            // Only hosts that move bytes themselves are told these.
            Step::Send { .. } | Step::Wait { .. } => failed("this host moves no bytes\n"),
        }
    }

    fn ask(&mut self, output: Output) -> Vec<u8> {
        match output {
            Output::Fetch { key, range, .. } => {
                self.asked = Asked::Read;
                let range = range.map(|(first, last)| format!("bytes={first}-{last}"));
                Message::write(&["object", "GET", &key, "", ""], range.iter().map(|range| ("range", range.as_str())), &[])
            }
            Output::Store { key, body, content_type, condition } => {
                self.asked = Asked::Write { guarded: matches!(condition, Condition::Match(_)) };
                let condition = match &condition {
                    Condition::None => None,
                    Condition::Absent => Some(("if-none-match", "*")),
                    Condition::Match(etag) => Some(("if-match", etag.as_str())),
                };
                Message::write(&["object", "PUT", &key, "", ""], [("content-type", content_type)].into_iter().chain(condition), &body)
            }
            Output::Delete { key } => {
                self.asked = Asked::Write { guarded: false };
                Message::write(&["object", "DELETE", &key, "", ""], [], &[])
            }
            Output::Load { url, headers, max_bytes, timeout_ms } => {
                self.asked = Asked::Load;
                let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
                Message::write(&["load", "GET", &url, &timeout_ms.to_string(), &max_bytes.to_string()], headers, &[])
            }
            Output::Answer(_) => failed("an answer is no errand\n"),
        }
    }

    /// Of an object the first line is its ETag, the second how old it is, in ms; of a load every line is a header, and none with 413 says that it was too long.
    pub(crate) fn handle(&mut self, now_ms: f64, status: u32, message: Message) {
        self.world.now_utc_ms = now_ms.max(0.0) as u64;
        let etag = Some(message.line(0).to_owned()).filter(|etag| !etag.is_empty());
        let input = match (self.asked, status) {
            (Asked::Nothing, _) => return,
            (Asked::Read, 200 | 206) => {
                let age_ms = number(message.line(1));
                Input::Fetched(Fetched::Got { bytes: message.body, etag, age_ms })
            }
            (Asked::Read, 404 | 416) => Input::Fetched(Fetched::Missing),
            (Asked::Read, _) => Input::Fetched(Fetched::Failed),
            (Asked::Write { .. }, 200..=299) => Input::Stored(Stored::Done { etag }),
            (Asked::Write { .. }, 409 | 412) => Input::Stored(Stored::Conflict),
            // S3 says this of `If-Match` where there is no object, and of a delete that has nothing to do.
            (Asked::Write { guarded: true }, 404) => Input::Stored(Stored::Conflict),
            (Asked::Write { guarded: false }, 404) => Input::Stored(Stored::Done { etag: None }),
            (Asked::Write { .. }, _) => Input::Stored(Stored::Failed),
            (Asked::Load, 0) => Input::Loaded(Loaded::Failed),
            (Asked::Load, 413) if etag.is_none() => Input::Loaded(Loaded::TooLarge),
            (Asked::Load, status) => {
                let status = u16::try_from(status).unwrap_or(500);
                Input::Loaded(Loaded::Got { status, headers: message.headers(0), body: message.body })
            }
        };
        STATE.with_borrow_mut(|state| self.dispatch.handle(state, &self.world, input));
    }
}

fn respond(Settled { status, headers, body }: &Settled) -> Vec<u8> {
    let headers = headers.iter().map(|(name, value)| (*name, value.as_ref()));
    Message::write(&["respond", "", "", &status.to_string(), ""], headers, body)
}

fn failed(line: &str) -> Vec<u8> {
    respond(&Settled { status: 500, headers: Vec::new(), body: line.into() })
}
