use std::fmt::Write as _;

use tidegate_dispatch::{Settled, Step as Next};
use tidegate_function::{Condition, Output};
use wasm_bindgen::prelude::wasm_bindgen;

/// What the worker is to do next.
#[wasm_bindgen]
#[derive(Default)]
pub struct Step {
    kind: &'static str,
    target: String,
    method: &'static str,
    headers: String,
    body: Vec<u8>,
    number: u32,
    limit: u32,
}

#[wasm_bindgen]
impl Step {
    /// `object` (of the bucket), `load` (of somebody else), `pause` or `respond`.
    #[wasm_bindgen(getter)]
    pub fn kind(&self) -> String {
        self.kind.to_owned()
    }

    /// The key of the object, or the URL to load.
    #[wasm_bindgen(getter)]
    pub fn target(&self) -> String {
        self.target.clone()
    }

    /// Of the request for an object: GET, PUT or DELETE.
    #[wasm_bindgen(getter)]
    pub fn method(&self) -> String {
        self.method.to_owned()
    }

    /// Lines of `name: value`.
    #[wasm_bindgen(getter)]
    pub fn headers(&self) -> String {
        self.headers.clone()
    }

    /// Takes the body.
    pub fn body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// The status to respond with; the ms to pause, or within which a load has to be answered.
    #[wasm_bindgen(getter)]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The most bytes of a load.
    #[wasm_bindgen(getter)]
    pub fn limit(&self) -> u32 {
        self.limit
    }
}

impl From<Next> for Step {
    fn from(next: Next) -> Self {
        match next {
            Next::Do(output) => asked(output),
            Next::Pause { ms } => Self { kind: "pause", number: u32::try_from(ms).unwrap_or(u32::MAX), ..Self::default() },
            Next::Respond(settled) => respond(settled),
            // Only hosts that move bytes themselves are told these.
            Next::Send { .. } | Next::Wait { .. } => {
                respond(Settled { status: 500, headers: Vec::new(), body: b"this host moves no bytes\n".to_vec() })
            }
        }
    }
}

fn respond(Settled { status, headers, body }: Settled) -> Step {
    let headers = headers.iter().fold(String::new(), |lines, (name, value)| line(lines, name, value));
    Step { kind: "respond", headers, body, number: status.into(), ..Step::default() }
}

fn asked(output: Output) -> Step {
    let object = |method, key| Step { kind: "object", method, target: key, ..Step::default() };
    match output {
        Output::Fetch { key, range, .. } => {
            let headers = range.map_or_else(String::new, |(first, last)| format!("range: bytes={first}-{last}\n"));
            Step { headers, ..object("GET", key) }
        }
        Output::Store { key, body, content_type, condition } => {
            let headers = line(String::new(), "content-type", content_type);
            let headers = match condition {
                Condition::None => headers,
                Condition::Absent => line(headers, "if-none-match", "*"),
                Condition::Match(etag) => line(headers, "if-match", &etag),
            };
            Step { headers, body, ..object("PUT", key) }
        }
        Output::Delete { key } => object("DELETE", key),
        Output::Load { url, headers, max_bytes, timeout_ms } => {
            let headers = headers.iter().fold(String::new(), |lines, (name, value)| line(lines, name, value));
            let limit = u32::try_from(max_bytes).unwrap_or(u32::MAX);
            Step { kind: "load", method: "GET", target: url, headers, number: timeout_ms, limit, ..Step::default() }
        }
        Output::Answer(_) => respond(Settled { status: 500, headers: Vec::new(), body: b"an answer is no errand\n".to_vec() }),
    }
}

fn line(mut lines: String, name: &str, value: &str) -> String {
    let _ = writeln!(lines, "{name}: {value}");
    lines
}
