//! The real component called as Spin calls it: through `wasi:http/handler`, with nothing around it that is ours.
use std::{future::Future, pin::Pin, time::Instant};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tidegate_golden::{cases, golden_bucket};
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

use tidegate_rig::Store as Bucket;

use crate::setup::functions;

struct Inside {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
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

struct Functions {
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

impl HandlerState for Functions {
    type StoreData = Inside;
    type WorkerExpiration = Once;
    type WorkerState = Once;

    async fn instantiate(&self) -> wasmtime::Result<Instance<Inside, Once, Once>> {
        let inside = Inside {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().env("TIDEGATE_UPSTREAM", &self.upstream).inherit_stderr().build(),
            http: WasiHttpCtx::new(),
            outbound: Outbound(Client::builder(TokioExecutor::new()).build_http()),
        };
        let mut store = Store::new(&self.engine, inside);
        let proxy = Proxy::P3(self.pre.instantiate_async(&mut store).await?);
        Ok(Instance { store, proxy, view: Inside::http, expiration: Once, state: Once })
    }
}

fn serve(component: &std::path::Path, upstream: String) -> ProxyHandler<Functions> {
    let mut config = wasmtime::Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let component = Component::from_file(&engine, component).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    wasmtime_wasi::p3::add_to_linker(&mut linker).unwrap();
    wasmtime_wasi_http::p3::add_to_linker(&mut linker).unwrap();
    let pre = ServicePre::new(linker.instantiate_pre(&component).unwrap()).unwrap();
    ProxyHandler::new(Functions { engine, pre, upstream })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_cases_are_the_same_bytes_by_wasi_http() {
    let Some(component) = functions() else { return };
    let store = Bucket::start().await;
    for (key, bytes) in golden_bucket() {
        store.put(&key, bytes, "");
    }
    let upstream = format!("{}/bucket", store.endpoint());
    let handler = tokio::task::spawn_blocking(move || serve(&component, upstream)).await.unwrap();
    let mut wrong = Vec::new();
    for case in cases() {
        let method = Method::from_bytes(case.request.method.as_bytes()).unwrap();
        let is_head = method == Method::HEAD;
        let mut request = Request::builder().method(method).uri(format!("http://edge.example{}", case.request.target));
        for (name, value) in &case.request.headers {
            request = request.header(name, value);
        }
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let response = handler.handle((), request.body(body).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| Some(head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned());
        // The server around leaves out this one.
        let body = if is_head { Bytes::new() } else { body };
        wrong.extend(case.check(head.status.as_u16(), header, &body).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
