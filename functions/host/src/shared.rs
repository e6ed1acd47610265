use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use http::{HeaderMap, Method, StatusCode};
use tidegate_function::Waited;
use tokio::time::{Instant, timeout};

use crate::{
    Limits, Metrics,
    answer::Answer,
    guest::{Call, CallError, Guest},
    hops::Hop,
    lru::Lru,
    objects::{ObjectKey, Objects, Watched, lock},
    wire::Reply,
};

/// How often one request may wait. A viewer may ask three target durations ahead: 30 parts of 0.2 s.
const WAITS: usize = 64;
/// The longest single wait that a component is granted.
const WAIT: Duration = Duration::from_secs(30);

/// Answers that are good for everybody who asks the same: asked for once, kept as long as they say.
pub(crate) struct Answers {
    guest: RwLock<Arc<Guest>>,
    objects: Arc<Objects>,
    kept: Mutex<Lru<Arc<str>, Arc<Answer>>>,
    flights: Mutex<HashMap<Arc<str>, Flight>>,
    /// How long a viewer waits.
    patience: Duration,
    metrics: Arc<Metrics>,
}

type Flight = Shared<BoxFuture<'static, Arc<Answer>>>;

impl Answers {
    pub(crate) fn new(guest: Guest, objects: Arc<Objects>, limits: &Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        let kept = Mutex::new(Lru::new(limits.answers));
        let guest = RwLock::new(Arc::new(guest));
        Arc::new(Self { guest, objects, kept, flights: Mutex::default(), patience: limits.request_time, metrics })
    }

    /// The component that answers now.
    pub(crate) fn guest(&self) -> Arc<Guest> {
        self.guest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was measured of the way of records since the last time, a line each.
    pub(crate) fn take_hops(&self) -> String {
        self.objects.hops.take()
    }

    /// Lets another component answer from here on. Calls that have begun end in the old one; viewers who are parked meet the new one
    /// when they wake.
    pub(crate) fn replace(&self, guest: Guest) {
        *self.guest.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(guest);
        // What the old one said is not what the new one would say.
        lock(&self.kept).clear();
    }

    /// The answer to a GET that says nothing about the viewer.
    pub(crate) async fn get(self: &Arc<Self>, path: &str) -> Arc<Answer> {
        if let Some(answer) = self.kept(path) {
            self.metrics.answers_kept.add(1);
            return answer;
        }
        let (flight, joined) = self.join(path);
        let Ok(answer) = timeout(self.patience, flight).await else {
            return Arc::new(Answer::error(StatusCode::GATEWAY_TIMEOUT, "no answer in time"));
        };
        if joined && !answer.is_shared() {
            return self.own(get_call(path)).await;
        }
        answer
    }

    /// The answer to a request that is nobody else's.
    pub(crate) async fn own(self: &Arc<Self>, call: Call) -> Arc<Answer> {
        let answers = self.clone();
        // A task of its own: a call that began goes on in the component, whether the viewer is there or not.
        let task = tokio::spawn(async move { answers.ask(call).await });
        Arc::new(task.await.unwrap_or_else(|_| panicked()))
    }

    fn kept(&self, path: &str) -> Option<Arc<Answer>> {
        let mut kept = lock(&self.kept);
        let answer = kept.get(path)?.clone();
        if answer.is_fresh() {
            return Some(answer);
        }
        kept.remove(path);
        None
    }

    /// The flight of this request, and whether it had begun.
    fn join(self: &Arc<Self>, path: &str) -> (Flight, bool) {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(path) {
            self.metrics.answers_shared.add(1);
            return (flight.clone(), true);
        }
        let path: Arc<str> = path.into();
        let (answers, name) = (self.clone(), path.clone());
        let task = tokio::spawn(async move {
            let answer = answers.own(get_call(&name)).await;
            if answer.is_kept() {
                lock(&answers.kept).insert(name.clone(), answer.clone(), answer.weight());
            }
            lock(&answers.flights).remove(&name);
            answer
        });
        let flight = task.map(|joined| joined.unwrap_or_else(|_| Arc::new(panicked()))).boxed().shared();
        flights.insert(path, flight.clone());
        (flight, false)
    }

    /// Asks the component, and waits for what it waits for.
    async fn ask(&self, mut call: Call) -> Answer {
        let deadline = Instant::now() + self.patience;
        let mut woken: Option<(ObjectKey, Instant)> = None;
        for _ in 0..WAITS {
            let reply = self.guest().call(&call).await;
            if let Some((key, at)) = woken.take() {
                self.objects.hops.add(Hop::Edge, &key, at.elapsed());
            }
            let wait = match reply {
                Ok(Reply::Wait(wait)) => wait,
                Ok(Reply::Respond { status, headers, body }) => return Answer::text(status, headers, body),
                Ok(Reply::Send { headers, pieces }) => return Answer::pieces(headers, pieces),
                Err(error) => return refusal(&error),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            self.metrics.waits.add(1);
            call.waited = Some(match self.objects.watch(&wait.key, wait.expect, wait.timeout.min(WAIT).min(left)).await {
                Watched::There => {
                    woken = Some((wait.key, Instant::now()));
                    Waited::There
                }
                Watched::TimedOut => Waited::Timeout,
                Watched::Refused => return Answer::error(StatusCode::SERVICE_UNAVAILABLE, "too many streams are followed here"),
            });
        }
        Answer::error(StatusCode::GATEWAY_TIMEOUT, "the functions wait without end")
    }
}

/// The request of everybody who asks for this path: it carries nothing of a viewer.
fn get_call(path: &str) -> Call {
    Call { method: Method::GET, path: path.into(), headers: HeaderMap::new(), body: Bytes::new(), waited: None }
}

fn refusal(error: &CallError) -> Answer {
    let status = match error {
        CallError::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        CallError::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
        CallError::Trapped | CallError::Failed(_) => StatusCode::BAD_GATEWAY,
    };
    Answer::error(status, &error.to_string())
}

fn panicked() -> Answer {
    Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "the host failed")
}
