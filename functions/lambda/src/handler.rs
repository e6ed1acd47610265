use std::{
    convert::Infallible,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderMap;
use lambda_http::{Body, Error, RequestExt as _, request::RequestContext, service_fn};
use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_foreign::{Foreign, LoadError, Loads};
use tidegate_function::{Fetched, Input, Loaded, Output, Request, World};
use tidegate_stream::{report_stream, split_token};

use crate::{Config, Response, answer::Answered, raw::Raw, store::Store};

/// The largest body of a request; our other hosts have the same bound.
const REQUEST_BYTES: usize = 64 << 10;
/// What a function may load of a foreign origin: Lambda is paid by the millisecond, so no blocking request is waited out.
const LOADS: Loads = Loads { at_once: 16, time: Duration::from_secs(5), bytes: 4 << 20 };

/// Answers events until Lambda ends the environment.
///
/// # Errors
/// What the runtime API cannot go on with.
pub async fn run(config: Config) -> Result<(), Error> {
    let response = config.response;
    let edge = Arc::new(Edge::new(config));
    match response {
        Response::Buffer => {
            let service = service_fn(move |request| {
                let edge = edge.clone();
                async move { Ok::<_, Infallible>(edge.answer(request).await) }
            });
            lambda_http::run_concurrent(service).await
        }
        Response::Stream => {
            let service = service_fn(move |request| {
                let edge = edge.clone();
                async move { Ok::<_, Infallible>(edge.answer(request).await.streamed()) }
            });
            lambda_http::run_with_streaming_response_concurrent(service).await
        }
    }
}

/// What an environment keeps between requests.
struct Edge {
    config: Config,
    store: Store,
    raw: Option<Raw>,
    state: Mutex<State>,
    /// Made when it is first needed: its root certificates take longer to read than everything else at the start.
    foreign: OnceLock<Foreign>,
}

impl Edge {
    fn new(config: Config) -> Self {
        Self { store: Store::new(&config), raw: Raw::new(&config), config, state: Mutex::default(), foreign: OnceLock::new() }
    }

    async fn answer(&self, request: lambda_http::Request) -> Answered {
        let head_only = request.method() == http::Method::HEAD;
        let settled = match self.asked(request) {
            Some(asked) => self.count(asked).await,
            None => Settled { status: 413, headers: Vec::new(), body: b"the body is too long\n".to_vec() },
        };
        Answered::new(settled, head_only)
    }

    /// A report that counts goes to another engine as well, where one is named.
    async fn count(&self, request: Request) -> Settled {
        let report = self.raw.as_ref().filter(|_| request.method == "POST" && report_stream(split_token(&request.path).1).is_some());
        let Some(raw) = report else { return self.drive(request).await };
        let country = request.header("viewer-country").unwrap_or_default().to_owned();
        let (path, body) = (request.path.clone(), request.body.clone());
        let settled = self.drive(request).await;
        if (200..300).contains(&settled.status) {
            raw.send(&path, &country, &body).await;
        }
        settled
    }

    async fn drive(&self, request: Request) -> Settled {
        let mut dispatch = Dispatch::new(request, Host::Answers);
        loop {
            // A panic in one request leaves at worst what would be read again.
            let Some(now) = world() else { return failed("the system gives no randomness\n") };
            let step = dispatch.poll(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), &now);
            let input = match step {
                Step::Do(output) => self.carry_out(output).await,
                Step::Respond(settled) => return settled,
                Step::Pause { .. } | Step::Send { .. } | Step::Wait { .. } => {
                    return failed("this host does not wait\n");
                }
            };
            let Some(now) = world() else { return failed("the system gives no randomness\n") };
            dispatch.handle(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), &now, input);
        }
    }

    async fn carry_out(&self, output: Output) -> Input {
        match output {
            Output::Fetch { key, range, .. } => Input::Fetched(self.store.fetch(&key, range).await),
            Output::Store { key, body, content_type, condition } => {
                Input::Stored(self.store.store(&key, body, content_type, &condition).await)
            }
            Output::Delete { key } => Input::Stored(self.store.delete(&key).await),
            Output::Load { url, headers, max_bytes, timeout_ms } => Input::Loaded(self.load(&url, headers, max_bytes, timeout_ms).await),
            Output::Answer(_) => Input::Fetched(Fetched::Failed),
        }
    }

    async fn load(&self, url: &str, headers: Vec<(String, String)>, max_bytes: usize, timeout_ms: u32) -> Loaded {
        let foreign = self.foreign.get_or_init(|| Foreign::new(&self.config.private_origins, LOADS));
        let Ok(uri) = url.parse() else { return Loaded::Denied };
        let headers: HeaderMap = headers.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect();
        match foreign.get(uri, headers, Some(max_bytes), Some(Duration::from_millis(timeout_ms.into()))).await {
            Ok(loaded) => Loaded::Got { status: loaded.status.as_u16(), headers: pairs(&loaded.headers), body: loaded.body.to_vec() },
            Err(LoadError::Denied(_)) => Loaded::Denied,
            Err(LoadError::TooLarge(_)) => Loaded::TooLarge,
            Err(LoadError::Slow(_) | LoadError::Failed(_)) => Loaded::Failed,
        }
    }

    /// The request as functions read it; `None` where its body is too long.
    fn asked(&self, request: lambda_http::Request) -> Option<Request> {
        let (path, source) = (path(&request), source(&request));
        let (head, body) = request.into_parts();
        let mut headers = pairs(&head.headers);
        headers.retain(|(name, _)| !name.starts_with("tidegate-") && !name.starts_with("viewer-"));
        headers.extend(self.viewer(&head.headers, source));
        let body = match body {
            Body::Text(text) => text.into_bytes(),
            Body::Binary(bytes) => bytes,
            _ => Vec::new(),
        };
        (body.len() <= REQUEST_BYTES).then(|| Request {
            method: head.method.as_str().to_owned(),
            path,
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers,
            body,
            waited: None,
            reach: self.config.reach,
        })
    }

    /// What is known of the viewer beside the request. The names of the headers that are believed come from the owner.
    fn viewer(&self, headers: &HeaderMap, source: Option<String>) -> impl Iterator<Item = (String, String)> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let host = header(self.config.host_header.as_deref().unwrap_or("host"));
        let scheme = header("x-forwarded-proto").filter(|scheme| scheme == "http").or_else(|| Some("https".to_owned()));
        let [country, network, address] =
            [&self.config.country_header, &self.config.network_header, &self.config.address_header].map(|name| header(name.as_deref()?));
        let (address, edge) = (address.or(source), Some("lambda".to_owned()));
        let values = [host, scheme, country, network, address, edge];
        let names = ["viewer-host", "viewer-scheme", "viewer-country", "viewer-network", "viewer-address", "viewer-edge"];
        names.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }
}

fn failed(line: &str) -> Settled {
    Settled { status: 500, headers: vec![("cache-control", "no-store".into())], body: line.into() }
}

/// The path as the viewer wrote it, without the stage of an API Gateway.
fn path(request: &lambda_http::Request) -> String {
    let raw = request.raw_http_path();
    let path = if raw.is_empty() { request.uri().path() } else { raw };
    let stage = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.stage.as_deref().filter(|stage| *stage != "$default"),
        _ => None,
    };
    let below = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage)).filter(|rest| rest.starts_with('/'));
    below.unwrap_or(path).to_owned()
}

/// Where the connection is from, as Lambda says it. A load balancer says it last in a header.
fn source(request: &lambda_http::Request) -> Option<String> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => context.http.source_ip.clone(),
        _ => {
            let from = request.headers().get("x-forwarded-for")?.to_str().ok()?;
            from.rsplit(',').next().map(|address| address.trim().to_owned())
        }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))).collect()
}

/// `None` where the system gives no randomness: a key that somebody can guess is worse than no answer.
fn world() -> Option<World> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut random = [0; 32];
    rustls::crypto::aws_lc_rs::default_provider().secure_random.fill(&mut random).ok()?;
    Some(World { now_utc_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX), random })
}
