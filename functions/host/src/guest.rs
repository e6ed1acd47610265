//! The functions component on wasmtime: bounded in memory, time and number, one trap one answer.
//!
//! A request is a few turns of one instance ([`Turn`]): the functions decide in there, and what they want is done out here, where no
//! instance waits for it. An instance is anybody's between two turns.
mod carry;
mod compiled;
mod engine;
mod imports;
mod instance;
mod pool;

use std::{
    panic::resume_unwind,
    sync::Arc,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tidegate_foreign::Foreign;
use tidegate_function::{Reach, Request, Said, Turn, Waited, World};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use wasmtime::Engine;

pub use self::imports::{ImportError, check_imports};
use self::{
    carry::Carrier,
    compiled::{Digest, load},
    engine::{new_engine, tick},
    instance::{Maker, TurnError},
    pool::{Pool, Seat},
};
use crate::{Config, HostError, Limits, Metrics, objects::Objects, wire::Reply};

/// Before a request looks again for an instance; most calls take less.
const INSTANCE_PAUSE: Duration = Duration::from_millis(5);
/// Turns of one call; the functions stop at fewer.
const TURNS: usize = 2048;

/// A request as the component sees it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How the wait that the component asked for ended, if it did.
    pub(crate) waited: Option<Waited>,
}

/// Why the component gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("too many requests wait for the functions")]
    Overloaded,
    #[error("the functions took more than {0:?}")]
    TimedOut(Duration),
    #[error("the functions failed")]
    Trapped,
    #[error("the functions failed: {0}")]
    Failed(String),
}

/// The component, ready to be called.
pub(crate) struct Guest {
    engine: Engine,
    carrier: Carrier,
    maker: Maker,
    shared: Pool,
    /// The one instance that keeps what players report.
    kept: Pool,
    permits: Arc<Semaphore>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl Guest {
    /// Loads the component, or compiles it: up to a second of both cores. [`Self::greet`] has to follow.
    pub(crate) fn new(config: &Config, objects: &Arc<Objects>, metrics: &Arc<Metrics>) -> Result<Self, HostError> {
        // Neither needs the other, and each takes a millisecond.
        let (engine, digest) = thread::scope(|scope| {
            let digest = scope.spawn(|| Digest::of_file(&config.component));
            (new_engine(&config.limits), digest.join())
        });
        let digest = digest.unwrap_or_else(|panic| resume_unwind(panic))?;
        let engine = engine.map_err(HostError::Engine)?;
        let permits = Arc::new(Semaphore::new(config.limits.guest_calls));
        tick(&engine, permits.clone(), config.limits.guest_calls);
        let foreign = Arc::new(Foreign::new(&config.private_origins, config.limits.loads()));
        let carrier = Carrier::new(objects.clone(), foreign, config.limits.store_body, metrics.clone());
        Self::on(engine, permits, carrier, config, &digest, metrics.clone())
    }

    /// Another component beside this one, within the same limits.
    pub(crate) fn beside(&self, config: &Config) -> Result<Self, HostError> {
        let digest = Digest::of_file(&config.component)?;
        Self::on(self.engine.clone(), self.permits.clone(), self.carrier.clone(), config, &digest, self.metrics.clone())
    }

    fn on(
        engine: Engine,
        permits: Arc<Semaphore>,
        carrier: Carrier,
        config: &Config,
        digest: &Digest,
        metrics: Arc<Metrics>,
    ) -> Result<Self, HostError> {
        let component = load(&engine, &config.component, digest, config.cache_dir.as_deref())?;
        check_imports(&engine, &component)?;
        let maker = Maker::new(&engine, &component, config).map_err(HostError::Engine)?;
        // What is left over is for calls that get an instance alone, and for another component that takes over.
        let shared = Pool::new(maker.clone(), (config.limits.instances as usize / 2).max(1));
        let kept = Pool::new(maker.clone(), 1).for_ever();
        Ok(Self { engine, carrier, maker, shared, kept, permits, limits: config.limits.clone(), metrics })
    }

    /// Waits for a first answer, whatever it says.
    pub(crate) async fn greet(&self) -> Result<(), HostError> {
        let silent = |error: &dyn std::fmt::Display| HostError::Silent(error.to_string());
        let call = Call { method: Method::GET, path: "/".into(), headers: HeaderMap::new(), body: Bytes::new(), waited: None };
        let answer = timeout_at(Instant::now() + self.limits.guest_time, async {
            let seat = self.shared.enter().await?;
            self.drive(seat, &call).await
        });
        answer.await.map_err(|late| silent(&late))?.map_err(|error| silent(&error))?;
        Ok(())
    }

    /// Calls the component; a request that may be repeated and met a trap is tried once more in an instance of its own: it may have had
    /// a neighbour to thank for it.
    pub(crate) async fn call(&self, call: &Call) -> Result<Reply, CallError> {
        let patience = Instant::now() + self.limits.guest_queue;
        let permit = timeout_at(patience, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(CallError::Overloaded) };
        let repeatable = matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS);
        match self.call_in(Some(&self.shared), call, patience).await {
            Err(CallError::Trapped) if repeatable => self.call_in(None, call, patience).await,
            answer => answer,
        }
    }

    /// Calls the instance that keeps what players report; one call at a time.
    pub(crate) async fn reports(&self, call: &Call) -> Result<Reply, CallError> {
        let patience = Instant::now() + self.limits.guest_queue;
        let permit = timeout_at(patience, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(CallError::Overloaded) };
        self.shared.tidy();
        self.call_in(Some(&self.kept), call, patience).await
    }

    /// Calls an instance of the pool, or one that is made for this call alone.
    async fn call_in(&self, pool: Option<&Pool>, call: &Call, patience: Instant) -> Result<Reply, CallError> {
        let seat = loop {
            let seat = match pool {
                Some(pool) => pool.enter().await,
                None => Seat::alone(&self.maker).await,
            };
            match seat {
                Ok(seat) => break seat,
                Err(CallError::Overloaded) if Instant::now() + INSTANCE_PAUSE < patience => sleep(INSTANCE_PAUSE).await,
                Err(error) => return Err(error),
            }
        };
        let deadline = Instant::now() + self.limits.guest_time + self.limits.load_time;
        let answer = timeout_at(deadline, self.drive(seat, call)).await;
        let answer = answer.unwrap_or(Err(CallError::TimedOut(self.limits.guest_time)));
        self.metrics.guest_calls.add(1);
        match &answer {
            Err(CallError::Trapped) => {
                self.metrics.guest_traps.add(1);
                tracing::warn!("an instance of the functions trapped");
            }
            Err(CallError::TimedOut(_)) => self.metrics.guest_timeouts.add(1),
            Err(CallError::Overloaded | CallError::Failed(_)) | Ok(_) => {}
        }
        answer
    }

    /// Takes turns with an instance until it has an answer.
    async fn drive(&self, mut seat: Seat, call: &Call) -> Result<Reply, CallError> {
        let mut turn = Turn::Begin { call: seat.number(), world: world(), request: request(call) };
        for _ in 0..TURNS {
            let message = match seat.turn(&turn, self.limits.guest_time).await {
                Ok(message) => Bytes::from(message),
                Err(TurnError::Trapped) => return Err(CallError::Trapped),
                Err(TurnError::Late) => return Err(CallError::TimedOut(self.limits.guest_time)),
            };
            let said = Said::read(&message).ok_or_else(|| CallError::Failed("they speak another language".into()))?;
            let input = match said {
                Said::Respond { .. } | Said::Wait { .. } | Said::Send { .. } => {
                    seat.answered();
                    return Reply::read(&said, &message).map_err(|error| CallError::Failed(error.to_string()));
                }
                errand => self.carrier.carry_out(errand).await,
            };
            turn = Turn::Go { call: seat.number(), world: world(), input };
        }
        Err(CallError::Failed("they want no end of things".into()))
    }
}

/// The request as functions read it; which host a viewer named is no business of theirs but as `viewer-host`.
fn request(call: &Call) -> Request {
    let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
    let headers = call.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    Request {
        method: call.method.as_str().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: call.body.to_vec(),
        waited: call.waited,
        reach: Reach::Blocking,
    }
}

fn world() -> World {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 32];
    // From the system itself: the library of TLS makes a source of its own first, which takes 40 ms.
    if let Err(error) = getrandom::fill(&mut random) {
        tracing::error!(%error, "the system has no randomness");
    }
    World { now_utc_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), random }
}
