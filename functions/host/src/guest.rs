//! The functions component on wasmtime: bounded in memory, time and number, one trap one answer.
mod compiled;
mod engine;
mod imports;
mod outbound;
mod worker;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use tidegate_foreign::Foreign;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use wasmtime::Engine;
use wasmtime_wasi_http::handler::{ExpirationError, InstantiationError, ProxyHandler, TrapOrPanicError};

pub use self::imports::{ImportError, check_imports};
use self::{
    compiled::load,
    engine::{new_engine, tick},
    worker::{Functions, Reuse},
};
use crate::{Config, HostError, Limits, Metrics, objects::Objects, wire};

/// Before a request looks again for an instance; most calls take less.
const INSTANCE_PAUSE: Duration = Duration::from_millis(5);

/// A request as the component sees it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// How the wait that the component asked for ended, if it did.
    pub(crate) waited: Option<&'static str>,
}

/// An answer as the component wrote it.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
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
    objects: Arc<Objects>,
    foreign: Arc<Foreign>,
    shared: ProxyHandler<Functions>,
    /// Instances for one request each: where a request goes whose instance trapped, perhaps because of a neighbour.
    alone: ProxyHandler<Functions>,
    /// The one instance that keeps what players report.
    kept: ProxyHandler<Functions>,
    permits: Arc<Semaphore>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl Guest {
    /// Loads the component, or compiles it: up to a second of both cores. [`Self::greet`] has to follow.
    pub(crate) fn new(config: &Config, objects: &Arc<Objects>, metrics: &Arc<Metrics>) -> Result<Self, HostError> {
        let engine = new_engine(&config.limits).map_err(HostError::Engine)?;
        let permits = Arc::new(Semaphore::new(config.limits.guest_calls));
        tick(&engine, permits.clone(), config.limits.guest_calls);
        let foreign = Arc::new(Foreign::new(&config.private_origins, config.limits.loads()));
        Self::on(engine, permits, objects.clone(), foreign, config, metrics.clone())
    }

    /// Another component beside this one, within the same limits.
    pub(crate) fn beside(&self, config: &Config) -> Result<Self, HostError> {
        let (engine, permits) = (self.engine.clone(), self.permits.clone());
        Self::on(engine, permits, self.objects.clone(), self.foreign.clone(), config, self.metrics.clone())
    }

    fn on(
        engine: Engine,
        permits: Arc<Semaphore>,
        objects: Arc<Objects>,
        foreign: Arc<Foreign>,
        config: &Config,
        metrics: Arc<Metrics>,
    ) -> Result<Self, HostError> {
        let component = load(&engine, &config.component, config.cache_dir.as_deref())?;
        check_imports(&engine, &component)?;
        let pre = engine::link(&engine, &component).map_err(HostError::Engine)?;
        let functions = |reuse| Functions::new(&engine, &pre, &objects, &foreign, config, reuse, &metrics);
        Ok(Self {
            shared: ProxyHandler::new(functions(Reuse::Shared)),
            alone: ProxyHandler::new(functions(Reuse::Once)),
            kept: ProxyHandler::new(functions(Reuse::Kept)),
            engine,
            objects,
            foreign,
            permits,
            limits: config.limits.clone(),
            metrics,
        })
    }

    /// Asks the component which words it speaks.
    pub(crate) async fn greet(&self) -> Result<(), HostError> {
        let call = Call { method: Method::GET, path: wire::GREETING.into(), headers: HeaderMap::new(), body: Bytes::new(), waited: None };
        let silent = |error: &dyn std::fmt::Display| HostError::Silent(error.to_string());
        let request = request(call).map_err(|error| silent(&error))?;
        // In an instance of its own: nothing of this is seen by viewers.
        let reply = timeout_at(Instant::now() + self.limits.guest_time, self.answer(&self.alone, request)).await;
        let reply = reply.map_err(|late| silent(&late))?.map_err(|error| silent(&error))?;
        match wire::spoken(&reply.headers) {
            Some(wire::VERSION) => Ok(()),
            other => Err(HostError::Version { component: other.unwrap_or(0) }),
        }
    }

    /// Calls the component; a request that may be repeated and met a trap is tried once more in an instance of its own.
    pub(crate) async fn call(&self, call: Call) -> Result<Reply, CallError> {
        let patience = Instant::now() + self.limits.guest_queue;
        let permit = timeout_at(patience, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(CallError::Overloaded) };
        let repeatable = matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS);
        match self.call_patiently(&self.shared, call.clone(), patience).await {
            Err(CallError::Trapped) if repeatable => self.call_patiently(&self.alone, call, patience).await,
            answer => answer,
        }
    }

    /// Calls the instance that keeps what players report; one call at a time.
    pub(crate) async fn reports(&self, call: Call) -> Result<Reply, CallError> {
        let patience = Instant::now() + self.limits.guest_queue;
        let permit = timeout_at(patience, self.permits.acquire()).await;
        let Ok(Ok(_permit)) = permit else { return Err(CallError::Overloaded) };
        self.call_patiently(&self.kept, call, patience).await
    }

    /// Calls the component once there is an instance for it. A burst asks for more instances than there are before the first of them
    /// takes a second request; no function has seen a request that found none.
    async fn call_patiently(&self, handler: &ProxyHandler<Functions>, call: Call, patience: Instant) -> Result<Reply, CallError> {
        loop {
            match self.call_once(handler, call.clone()).await {
                Err(CallError::Overloaded) if Instant::now() + INSTANCE_PAUSE < patience => sleep(INSTANCE_PAUSE).await,
                answer => return answer,
            }
        }
    }

    async fn call_once(&self, handler: &ProxyHandler<Functions>, call: Call) -> Result<Reply, CallError> {
        // A busy loop ends after `guest_time`; a request that a foreign origin keeps waiting may take longer.
        let start = Instant::now();
        let deadline = start + self.limits.guest_time + self.limits.load_time;
        let answer = timeout_at(deadline, self.answer(handler, request(call)?)).await;
        let late = CallError::TimedOut(self.limits.guest_time);
        let answer = match answer {
            Err(_) => Err(late),
            // An instance that is taken away for its age looks like one that trapped; a young request may have a neighbour to thank.
            Ok(Err(CallError::Trapped)) if start.elapsed() >= self.limits.guest_time.mul_f32(0.9) => Err(late),
            Ok(answer) => answer,
        };
        // Without an instance it was no call.
        if !matches!(answer, Err(CallError::Overloaded)) {
            self.metrics.guest_calls.add(1);
        }
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

    async fn answer(&self, handler: &ProxyHandler<Functions>, request: wasmtime_wasi_http::handler::Request) -> Result<Reply, CallError> {
        let response = handler.handle((), request).await.map_err(|error| self.explain(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.limits.answer_body).collect().await.map_err(|error| CallError::Failed(error.to_string()))?;
        Ok(Reply { status: head.status, headers: head.headers, body: body.to_bytes() })
    }

    fn explain(&self, error: &wasmtime::Error) -> CallError {
        if error.is::<TrapOrPanicError>() {
            CallError::Trapped
        } else if error.is::<ExpirationError>() {
            CallError::TimedOut(self.limits.guest_time)
        } else if error.is::<InstantiationError<()>>() {
            CallError::Overloaded
        } else {
            CallError::Failed(error.to_string())
        }
    }
}

/// The component needs an absolute URI; which host a viewer named is no business of a function.
fn request(call: Call) -> Result<wasmtime_wasi_http::handler::Request, CallError> {
    let failed = |error: http::Error| CallError::Failed(error.to_string());
    let uri = Uri::builder().scheme("http").authority("edge.internal").path_and_query(call.path).build().map_err(failed)?;
    let body = Full::new(call.body).map_err(|never| match never {}).boxed_unsync();
    let mut request = Request::builder().method(call.method).uri(uri).body(body).map_err(failed)?;
    *request.headers_mut() = call.headers;
    request.headers_mut().insert(wire::HOST, HeaderValue::from_static("1"));
    if let Some(waited) = call.waited {
        request.headers_mut().insert(wire::WAITED, HeaderValue::from_static(waited));
    }
    Ok(request)
}
