#![allow(clippy::unwrap_used, reason = "for tests: what goes wrong ends one")]
//! Calls a component as Spin does: through `wasi:http/handler`, with nothing around it that is ours. A crate of its own, since WASI's bindings
//! take a minute and a half to be optimised and no time to run.
use std::{future::Future, path::Path, pin::Pin, time::Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, combinators::UnsyncBoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use wasmtime::{
    Engine, Store, StoreContextMut,
    component::{Component, GuestTaskId, Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    handler::{HandlerState, Instance, Proxy, ProxyHandler, ShouldAccept, WorkerExpiration, WorkerState, WorkerStatus},
    p3::bindings::ServicePre,
};

/// What a store of the component has in it.
pub struct Inside {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
}

impl Inside {
    /// Nothing yet, for a component that fetches from the bucket at `upstream`.
    #[must_use]
    pub fn new(upstream: &str) -> Self {
        Self {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().env("TIDEGATE_UPSTREAM", upstream).inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound(Client::builder(TokioExecutor::new()).build_http()),
        }
    }
}

/// All that the component may import.
#[must_use]
pub fn linker(engine: &Engine) -> Linker<Inside> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
    wasmtime_wasi_http::p3::add_to_linker(&mut linker).unwrap();
    linker
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Inside {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outbound, table: &mut self.table, ctx: &mut self.http }
    }
}

/// What the component sends goes out as it is.
struct Outbound(Client<HttpConnector, Empty<Bytes>>);

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Io), Error>> + Send> {
        let sent = self.0.request(request.map(|_| Empty::new()));
        Box::new(async move {
            let response = sent.await.map_err(|_| Error::ConnectionTerminated)?;
            let body = |body: hyper::body::Incoming| body.map_err(|_| Error::ConnectionTerminated).boxed_unsync();
            Ok((response.map(body), Box::new(std::future::ready(Ok(()))) as Io))
        })
    }
}

/// What [`Functions`] keeps for its handler.
struct Kept {
    engine: Engine,
    pre: ServicePre<Inside>,
    upstream: String,
}

/// One request for each instance, which ends with it.
struct Once;

impl WorkerExpiration for Once {
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>, _: WorkerStatus, _: Instant) -> std::task::Poll<()> {
        std::task::Poll::Pending
    }
}

impl WorkerState for Once {
    type StoreData = Inside;
    type RequestData = ();

    fn should_accept_request(&self, _: usize, total: usize) -> ShouldAccept {
        if total > 0 { ShouldAccept::Never } else { ShouldAccept::Yes }
    }

    fn on_request_start(
        &self,
        _: StoreContextMut<'_, Inside>,
        (): (),
        _: GuestTaskId,
    ) -> Pin<Box<dyn Future<Output = ()> + 'static + Send + Sync>> {
        Box::pin(std::future::pending())
    }

    fn drop(&self, store: Store<Inside>, _: Result<(), wasmtime::Error>) {
        drop(store);
    }
}

impl HandlerState for Kept {
    type StoreData = Inside;
    type WorkerExpiration = Once;
    type WorkerState = Once;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Inside, Once, Once>> {
        let mut store = Store::new(&self.engine, Inside::new(&self.upstream));
        let proxy = Proxy::P3(self.pre.instantiate_async(&mut store).await?);
        Ok(Instance { store, proxy, view: Inside::http, expiration: Once, state: Once })
    }
}

/// A component that answers.
pub struct Functions(ProxyHandler<Kept>);

impl Functions {
    /// Compiles a component, which fetches from the bucket at `upstream`.
    #[must_use]
    pub fn new(component: &Path, upstream: String) -> Self {
        let mut config = wasmtime::Config::new();
        config.wasm_component_model_async(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_file(&engine, component).unwrap();
        let pre = ServicePre::new(linker(&engine).instantiate_pre(&component).unwrap()).unwrap();
        Self(ProxyHandler::new(Kept { engine, pre, upstream }))
    }

    /// Its answer to a request without a body.
    pub async fn answer(&self, request: Request<()>) -> Response<Bytes> {
        let body: WasiBody = UnsyncBoxBody::new(Empty::new().map_err(|never| match never {}));
        let (head, body) = self.0.handle((), request.map(|()| body)).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }
}
