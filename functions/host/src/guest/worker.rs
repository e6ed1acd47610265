use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tidegate_foreign::Foreign;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;
use wasmtime::{
    Engine, Store, StoreContextMut, StoreLimits, StoreLimitsBuilder,
    component::{GuestTaskId, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    WasiHttpCtx, WasiHttpCtxView, WasiHttpView,
    handler::{HandlerState, Instance as Ready, Proxy, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
    p3::bindings::ServicePre,
};

use super::outbound::{Outbound, UPSTREAM};
use crate::{Config, Limits, Metrics, objects::Objects};

/// Requests that share an instance at one time: the blast radius of a trap.
const CONCURRENT: usize = 16;
/// Requests that an instance answers in its life. Its memory only grows, and what it remembers of streams is soon read again.
const TOTAL: usize = 10_000;
/// An instance without requests is kept this long, with what it remembers.
const IDLE: Duration = Duration::from_secs(30);
/// The same, for what players report: it is written down long before.
const IDLE_KEPT: Duration = Duration::from_secs(600);
/// What an instance may go on doing after its last answer.
const POST_RETURN: Duration = Duration::from_secs(1);
/// Tables, as Rust's function pointers need them.
const TABLE_ELEMENTS: usize = 20_000;

/// What lives in the store of one instance.
pub(super) struct Instance {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    limits: StoreLimits,
}

/// Makes instances.
pub(super) struct Functions {
    engine: Engine,
    pre: ServicePre<Instance>,
    objects: Arc<Objects>,
    foreign: Arc<Foreign>,
    environment: Vec<(String, String)>,
    limits: Limits,
    reuse: Reuse,
    /// The instance of [`Reuse::Kept`] is there.
    there: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
}

/// How many requests an instance answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reuse {
    Shared,
    Once,
    /// One instance at a time, for as long as there is something for it to do.
    Kept,
}

/// What decides about an instance from request to request.
pub(super) struct Worker {
    reuse: Reuse,
    _there: There,
    stop: CancellationToken,
}

impl Functions {
    pub(super) fn new(
        engine: &Engine,
        pre: &ServicePre<Instance>,
        objects: &Arc<Objects>,
        foreign: &Arc<Foreign>,
        config: &Config,
        reuse: Reuse,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            engine: engine.clone(),
            pre: pre.clone(),
            stop: objects.stop().clone(),
            objects: objects.clone(),
            foreign: foreign.clone(),
            environment: config.environment.clone(),
            limits: config.limits.clone(),
            reuse,
            there: Arc::default(),
            metrics: metrics.clone(),
        }
    }
}

impl WasiView for Instance {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Instance {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

impl HandlerState for Functions {
    type StoreData = Instance;
    type WorkerExpiration = Expiration;
    type WorkerState = Worker;

    async fn instantiate(&self) -> wasmtime::Result<Ready<Instance, Expiration, Worker>> {
        // Between two calls it looks for a moment as if it were not: the second call is made again.
        if self.reuse == Reuse::Kept && self.there.swap(true, Relaxed) {
            return Err(wasmtime::Error::msg("the instance that keeps reports is there"));
        }
        let there = There(self.there.clone());
        let loading = Arc::new(AtomicUsize::new(0));
        let outbound = Outbound {
            objects: self.objects.clone(),
            foreign: self.foreign.clone(),
            metrics: self.metrics.clone(),
            store_body: self.limits.store_body,
            loading: loading.clone(),
        };
        let instance = Instance {
            table: ResourceTable::new(),
            // A panic says why on stderr, and only there.
            wasi: WasiCtxBuilder::new()
                .envs(&self.environment)
                .env("TIDEGATE_UPSTREAM", UPSTREAM)
                .env("TIDEGATE_HOST", "1")
                .inherit_stderr()
                .build(),
            http: WasiHttpCtx::new(),
            outbound,
            limits: StoreLimitsBuilder::new().memory_size(self.limits.guest_memory).table_elements(TABLE_ELEMENTS).build(),
        };
        let mut store = Store::new(&self.engine, instance);
        store.limiter(|instance| &mut instance.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let proxy = Proxy::P3(self.pre.instantiate_async(&mut store).await?);
        Ok(Ready {
            store,
            proxy,
            view: Instance::http,
            expiration: Expiration::new(&self.limits, loading, self.reuse),
            state: Worker { reuse: self.reuse, _there: there, stop: self.stop.clone() },
        })
    }
}

impl WorkerState for Worker {
    type StoreData = Instance;
    type RequestData = ();

    fn should_accept_request(&self, concurrent: usize, total: usize) -> ShouldAccept {
        match self.reuse {
            Reuse::Once if total > 0 => ShouldAccept::Never,
            Reuse::Shared if total >= TOTAL => ShouldAccept::Never,
            Reuse::Shared if concurrent >= CONCURRENT => ShouldAccept::No,
            Reuse::Once | Reuse::Shared | Reuse::Kept => ShouldAccept::Yes,
        }
    }

    fn on_request_start(
        &self,
        _store: StoreContextMut<'_, Instance>,
        (): (),
        _task: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        // `Expiration` and the caller keep the time; a timer for each request would be a third.
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Instance>, result: Result<(), wasmtime::Error>) {
        drop(store);
        // When the program ends, instances go with it.
        if let Err(error) = result
            && !self.stop.is_cancelled()
        {
            tracing::warn!(error = format!("{error:#}"), "an instance of the functions is gone");
        }
    }
}

/// Gives the place of the instance of [`Reuse::Kept`] free when it goes, or was never made.
struct There(Arc<AtomicBool>);

impl Drop for There {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// When an instance has to go, polled from outside the store, so that a busy loop inside does not keep it.
pub(super) struct Expiration {
    time: Duration,
    idle: Duration,
    /// What a request may take longer while a foreign origin is read.
    load_time: Duration,
    loading: Arc<AtomicUsize>,
    sleep: Pin<Box<Sleep>>,
}

impl Expiration {
    fn new(limits: &Limits, loading: Arc<AtomicUsize>, reuse: Reuse) -> Self {
        let idle = if reuse == Reuse::Kept { IDLE_KEPT } else { IDLE };
        Self { time: limits.guest_time, idle, load_time: limits.load_time, loading, sleep: Box::pin(tokio::time::sleep(IDLE)) }
    }
}

impl WorkerExpiration for Expiration {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>, status: WorkerStatus, start: Instant) -> Poll<()> {
        let allowed = match status {
            WorkerStatus::Idle => self.idle,
            WorkerStatus::Requests if self.loading.load(Relaxed) > 0 => self.time + self.load_time,
            WorkerStatus::Requests => self.time,
            WorkerStatus::PostReturn => POST_RETURN,
        };
        let deadline = tokio::time::Instant::from_std(start + allowed);
        if self.sleep.deadline() != deadline {
            self.sleep.as_mut().reset(deadline);
        }
        self.sleep.as_mut().poll(cx)
    }
}
