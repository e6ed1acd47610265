//! The origin function behind a plain hyper server: what rewriting costs where no WebAssembly is in the way.
//!
//! `native ADDRESS DOCUMENT`; the document is what `meta/origins/bench.json` is to the host.
use std::{
    cell::RefCell,
    convert::Infallible,
    env, fs,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tidegate_function::{Answer, Fetched, Input, Job as _, Loaded, Output, World};
use tidegate_origin::{Job, State};
use tokio::{net::TcpListener, task::LocalSet};

struct Native {
    document: Vec<u8>,
    state: RefCell<State>,
    client: Client<HttpConnector, Empty<Bytes>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args: Vec<String> = env::args().collect();
    let [_, address, document] = args.as_slice() else { anyhow::bail!("native ADDRESS DOCUMENT") };
    let listener = TcpListener::bind(address).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let native = Rc::new(Native { document: fs::read(document)?, state: RefCell::default(), client });
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let native = native.clone();
                tokio::task::spawn_local(async move {
                    let service = service_fn(move |request| {
                        let native = native.clone();
                        async move { Ok::<_, Infallible>(native.answer(&request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
        .await
}

impl Native {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let headers = request.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
        let mut job = Job::new(tidegate_function::Request {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers,
            ..tidegate_function::Request::default()
        });
        let now_utc_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        let world = World { now_utc_ms, random: [7; 32] };
        loop {
            let output = job.poll(&mut self.state.borrow_mut(), &world);
            let input = match output {
                Output::Answer(Answer::Respond { status, headers, body }) => {
                    let mut response = Response::builder().status(status);
                    for (name, value) in headers {
                        response = response.header(name, value.as_ref());
                    }
                    return response.body(Full::new(body.into())).unwrap_or_default();
                }
                Output::Fetch { .. } => Input::Fetched(Fetched::Got { bytes: self.document.clone(), etag: None, age_ms: None }),
                Output::Load { url, .. } => Input::Loaded(self.load(&url).await.unwrap_or(Loaded::Failed)),
                _ => return Response::builder().status(500).body(Full::default()).unwrap_or_default(),
            };
            job.handle(&mut self.state.borrow_mut(), &world, input);
        }
    }

    async fn load(&self, url: &str) -> anyhow::Result<Loaded> {
        let response = self.client.get(url.parse::<Uri>()?).await?;
        let status = response.status().as_u16();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
        let body = response.into_body().collect().await?.to_bytes().to_vec();
        Ok(Loaded::Got { status, headers, body })
    }
}
