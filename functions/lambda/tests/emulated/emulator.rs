//! The runtime API of AWS Lambda, as much of it as a function meets: events go out, answers and errors come in.
use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    process::{Child, Command},
    sync::{Notify, oneshot},
    time::timeout,
};

/// Generous: a test machine may be ten times overloaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// An execution environment: the function as a process, and what Lambda has around it.
pub(crate) struct Environment {
    process: Child,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    events: VecDeque<(String, String)>,
    waiting: HashMap<String, oneshot::Sender<Outcome>>,
    invoked: u64,
}

/// What the function sent.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// To `/response`.
    Answered { answer: Answer, first_byte: Instant },
    /// To `/error`.
    Failed(Value),
}

/// An answer as the caller of Lambda gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The body crossed as base64.
    pub(crate) base64: bool,
    /// It crossed as it was made, and not as one document.
    pub(crate) streamed: bool,
}

impl Environment {
    pub(crate) async fn start(binary: &Path, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = listener.local_addr().unwrap().to_string();
        let inner = Arc::<Inner>::default();
        tokio::spawn(serve(listener, inner.clone()));
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", api.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "edge"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "session"),
        ];
        let mut command = Command::new(binary);
        command.env_clear().envs(lambda).envs(variables.iter().copied());
        let process = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        Self { process, inner }
    }

    /// Sends an event and waits for what comes of it.
    pub(crate) async fn invoke(&self, event: &Value) -> Outcome {
        let answered = {
            let mut state = self.inner.state.lock().unwrap();
            state.invoked += 1;
            let id = format!("request-{}", state.invoked);
            state.events.push_back((id.clone(), event.to_string()));
            let (sender, answered) = oneshot::channel();
            state.waiting.insert(id, sender);
            answered
        };
        self.inner.changed.notify_one();
        timeout(PATIENCE, answered).await.expect("the function answers").unwrap()
    }

    /// Sends an event and expects an answer.
    pub(crate) async fn ask(&self, event: &Value) -> Answer {
        match self.invoke(event).await {
            Outcome::Answered { answer, .. } => answer,
            Outcome::Failed(error) => panic!("{error}"),
        }
    }

    /// Waits for a function that does not start, and returns what it said.
    pub(crate) async fn ended(mut self) -> (bool, String) {
        let status = timeout(PATIENCE, self.process.wait()).await.expect("the function ends").unwrap();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).await.unwrap();
        (status.success(), said)
    }
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let inner = inner.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let inner = inner.clone();
                async move { Ok::<_, Infallible>(inner.answer(request).await) }
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await.ok();
        });
    }
}

impl Inner {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().trim_start_matches("/2018-06-01/runtime/").to_owned();
        let first_byte = Instant::now();
        if path == "invocation/next" {
            let (id, event) = self.next().await;
            let builder =
                Response::builder().header("lambda-runtime-aws-request-id", id).header("lambda-runtime-deadline-ms", "9999999999999");
            let builder = builder.header("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:1:function:edge");
            return builder.body(Full::from(event)).unwrap();
        }
        let streamed = request.headers().get("lambda-runtime-function-response-mode").is_some_and(|mode| mode == "streaming");
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let mut words = path.split('/').skip(1);
        let (id, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let outcome = match kind {
            "response" if streamed => Outcome::Answered { answer: stream(&body), first_byte },
            "response" => Outcome::Answered { answer: document(&serde_json::from_slice(&body).unwrap()), first_byte },
            _ => Outcome::Failed(serde_json::from_slice(&body).unwrap()),
        };
        if let Some(sender) = self.state.lock().unwrap().waiting.remove(id) {
            sender.send(outcome).ok();
        }
        Response::builder().status(202).body(Full::default()).unwrap()
    }

    async fn next(&self) -> (String, String) {
        loop {
            let changed = self.changed.notified();
            if let Some(event) = self.state.lock().unwrap().events.pop_front() {
                return event;
            }
            changed.await;
        }
    }
}

/// A buffered answer.
fn document(document: &Value) -> Answer {
    let body = document["body"].as_str().unwrap_or_default();
    let base64 = document["isBase64Encoded"] == true;
    let body = if base64 { BASE64_STANDARD.decode(body).unwrap() } else { body.as_bytes().to_vec() };
    let status = document["statusCode"].as_u64().unwrap() as u16;
    Answer { status, headers: headers(&document["headers"]), body, base64, streamed: false }
}

/// A streamed answer: a JSON prelude, eight zeros, the body.
fn stream(bytes: &[u8]) -> Answer {
    let end = bytes.windows(8).position(|window| window == [0; 8]).expect("the end of the prelude");
    let prelude: Value = serde_json::from_slice(&bytes[..end]).unwrap();
    let status = prelude["statusCode"].as_u64().unwrap() as u16;
    Answer { status, headers: headers(&prelude["headers"]), body: bytes[end + 8..].to_vec(), base64: false, streamed: true }
}

fn headers(value: &Value) -> HashMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
