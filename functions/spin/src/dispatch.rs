use std::{cell::RefCell, thread::LocalKey, time::Duration};

use tidegate_access::Guarded;
use tidegate_function::{Answer, Fetched, Header, Input, Job, Output, Piece, Request, Waited};
use tidegate_stream::split_token;

use crate::{
    shell::{Shell, cut, poll_pause},
    world::{now, world},
};

/// What a function asks for before it answers; functions stop at fewer.
const STEPS: usize = 1024;
/// Waits for one request, where no host does the waiting. A viewer may ask three target durations ahead: 30 parts of 0.2 s.
const WAITS: usize = 64;
/// The longest that a request is held, where no host does the holding.
const HELD: Duration = Duration::from_secs(20);

thread_local! {
    // What this instance remembers. Never borrowed across an await: other requests run there.
    static MANIFEST: RefCell<tidegate_access::State<tidegate_manifest::State>> = RefCell::default();
    static METADATA: RefCell<tidegate_metadata::State> = RefCell::default();
    static ORIGIN: RefCell<tidegate_access::State<tidegate_origin::State>> = RefCell::default();
}

/// What a request came to.
pub(crate) enum Settled {
    Respond {
        status: u16,
        headers: Vec<Header>,
        body: Vec<u8>,
    },
    Send {
        pieces: Vec<Piece>,
        headers: Vec<Header>,
    },
    /// Only where the host waits.
    Wait {
        key: String,
        expect_ms: u64,
        timeout_ms: u64,
    },
}

/// A job with the state of its function. The driver sees every function alike: compiled once, it is a fifth of the size.
trait Task {
    fn poll(&mut self) -> Output;
    fn handle(&mut self, input: Input);
}

struct Of<J: Job + 'static> {
    job: J,
    state: &'static LocalKey<RefCell<J::State>>,
}

impl<J: Job + 'static> Task for Of<J> {
    fn poll(&mut self) -> Output {
        self.state.with_borrow_mut(|state| self.job.poll(state, &world()))
    }

    fn handle(&mut self, input: Input) {
        self.state.with_borrow_mut(|state| self.job.handle(state, &world(), input));
    }
}

type Start = fn(Request) -> Box<dyn Task>;

/// Gives a request to the function that its address names: `/api/` and a stream's `info.json` to metadata, `/origin/` and `/steer/` to
/// foreign origins; everything else is the manifest function's, which has a word for what is no address at all.
pub(crate) async fn dispatch(request: Request, shell: &Shell) -> Settled {
    // A token may stand in front.
    let (_, path) = split_token(&request.path);
    let start: Start = if path.starts_with("/origin/") || path.starts_with("/steer/") {
        |request| Box::new(Of { job: Guarded::new(request, tidegate_origin::Job::new), state: &ORIGIN })
    } else if path.starts_with("/api/") || (path.starts_with("/live/") && path.ends_with("/info.json")) {
        |request| Box::new(Of { job: tidegate_metadata::Job::new(request), state: &METADATA })
    } else {
        |request| Box::new(Of { job: Guarded::new(request, tidegate_manifest::Job::new), state: &MANIFEST })
    };
    drive(request, start, shell).await
}

/// Runs one function until it has an answer, and waits for it where nobody else does.
async fn drive(mut request: Request, begin: Start, shell: &Shell) -> Settled {
    let start = now();
    let mut read = None;
    for _ in 0..WAITS {
        match settle(begin(request.clone()), shell, read.take()).await {
            Answer::Respond { status, headers, body } => return Settled::Respond { status, headers, body },
            Answer::Send { pieces, headers } => return Settled::Send { pieces, headers },
            Answer::Wait { key, expect_ms, timeout_ms } if shell.has_host => return Settled::Wait { key, expect_ms, timeout_ms },
            Answer::Wait { key, expect_ms, timeout_ms } => {
                let left = HELD.saturating_sub(now().saturating_sub(start));
                read = wait(shell, &key, Duration::from_millis(expect_ms), Duration::from_millis(timeout_ms).min(left)).await;
                request.waited = Some(if read.is_some() { Waited::There } else { Waited::Timeout });
            }
        }
    }
    refuse("the stream does not go on\n")
}

fn refuse(line: &str) -> Settled {
    Settled::Respond { status: 503, headers: Vec::new(), body: line.into() }
}

/// Does what a job asks for until it has an answer. `read` is an object that a wait has read already.
async fn settle(mut task: Box<dyn Task>, shell: &Shell, mut read: Option<(String, Fetched)>) -> Answer {
    for _ in 0..STEPS {
        let input = match task.poll() {
            Output::Answer(answer) => return answer,
            Output::Fetch { key, range, fresh } => Input::Fetched(match read.take() {
                Some((known, fetched)) if known == key => cut(fetched, range),
                other => {
                    read = other;
                    shell.fetch(&key, range, fresh).await
                }
            }),
            Output::Store { key, body, content_type, condition } => Input::Stored(shell.store(&key, body, content_type, &condition).await),
            Output::Delete { key } => Input::Stored(shell.delete(&key).await),
            Output::Load { url, headers, max_bytes, timeout_ms } => Input::Loaded(shell.load(&url, &headers, max_bytes, timeout_ms).await),
        };
        task.handle(input);
    }
    Answer::Respond { status: 503, headers: Vec::new(), body: b"too much to do for one request\n".to_vec() }
}

/// Looks for an object until it is there; its key and what was read, or `None`.
async fn wait(shell: &Shell, key: &str, expect: Duration, timeout: Duration) -> Option<(String, Fetched)> {
    let start = now();
    spin_sdk::time::sleep(expect.min(timeout)).await;
    loop {
        if let got @ Fetched::Got { .. } = shell.fetch(key, None, false).await {
            return Some((key.to_owned(), got));
        }
        let waited = now().saturating_sub(start);
        if waited >= timeout {
            return None;
        }
        spin_sdk::time::sleep(poll_pause(waited.saturating_sub(expect)).min(timeout - waited)).await;
    }
}
