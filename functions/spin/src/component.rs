use std::{cell::RefCell, time::Duration};

use spin_sdk::{
    http::{BoxBody, HeaderMap, Request, Response, Uri},
    http_service,
};
use tidegate_access::{COUNTRY, HOST, SCHEME};
use tidegate_analytics::{ADDRESS, EDGE, NETWORK, TICK, frames};
use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_function::{Reach, Waited};

use crate::{
    answer::{greet, respond, send_by_host, wait_by_host},
    shell::{REPORTS_BYTES, REQUEST_BYTES, Shell, body},
    world::world,
};

thread_local! {
    // What this instance remembers. Never borrowed across an await: other requests run there.
    static STATE: RefCell<State> = RefCell::default();
}

#[http_service]
async fn serve(request: Request) -> anyhow::Result<Response<BoxBody>> {
    let shell = Shell::new(request.headers());
    if shell.has_host && request.uri().path() == "/tidegate-functions" {
        return greet();
    }
    // Only our host hands over what others have reported.
    let are_reports = has_our_host() && request.uri().path() == REPORTS;
    let asked = match asked(request, &shell, if are_reports { REPORTS_BYTES } else { REQUEST_BYTES }).await {
        Ok(asked) => asked,
        Err(TooLong) => return respond(413, &[], b"the body is too long\n".to_vec()),
    };
    if are_reports {
        return reports(asked, &shell).await;
    }
    match run(asked, &shell).await {
        Step::Respond(Settled { status, headers, body }) => respond(status, &headers, body),
        Step::Send { pieces, headers } => send_by_host(&pieces, &headers),
        Step::Wait { key, expect_ms, timeout_ms } => wait_by_host(&key, expect_ms, timeout_ms),
        Step::Do(_) | Step::Pause { .. } => respond(503, &[], Vec::new()),
    }
}

/// Does what a request needs until there is an answer.
async fn run(asked: tidegate_function::Request, shell: &Shell) -> Step {
    let mut dispatch = Dispatch::new(asked, if shell.has_host { Host::Moves } else { Host::Holds });
    loop {
        match STATE.with_borrow_mut(|state| dispatch.poll(state, &world())) {
            Step::Do(output) => {
                let input = shell.carry_out(output).await;
                STATE.with_borrow_mut(|state| dispatch.handle(state, &world(), input));
            }
            Step::Pause { ms } => spin_sdk::time::sleep(Duration::from_millis(ms)).await,
            step => return step,
        }
    }
}

/// Counts the reports that our host hands over together, one after the other, and writes down what is due. The answer has a line with a
/// status for each.
async fn reports(asked: tidegate_function::Request, shell: &Shell) -> anyhow::Result<Response<BoxBody>> {
    let Some(frames) = frames(&asked.body) else { return respond(400, &[], b"these are no reports\n".to_vec()) };
    let mut statuses = String::new();
    for frame in frames {
        let status = match run(frame.request, shell).await {
            Step::Respond(Settled { status, .. }) => status,
            _ => 404,
        };
        statuses.push_str(&format!("{status}\n"));
    }
    run(tidegate_function::Request { path: TICK.into(), query: asked.query, ..tidegate_function::Request::default() }, shell).await;
    respond(200, &[], statuses.into_bytes())
}

struct TooLong;

/// The address that no viewer's request has.
const REPORTS: &str = "/tidegate-reports";

/// A viewer can write any header, but not the environment.
fn has_our_host() -> bool {
    std::env::var("TIDEGATE_HOST").is_ok_and(|value| value == "1")
}

async fn asked(request: Request, shell: &Shell, max_bytes: usize) -> Result<tidegate_function::Request, TooLong> {
    let (head, incoming) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let waited = header("tidegate-waited").filter(|_| shell.has_host).and_then(Waited::parse);
    let headers = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut asked = tidegate_function::Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.filter(|(name, _)| !name.starts_with("tidegate-") && !name.starts_with("viewer-")).collect(),
        body: Vec::new(),
        waited,
        reach: Reach::Blocking,
    };
    for (name, value) in viewer(&head.headers, &head.uri) {
        asked.headers.push((name.to_owned(), value));
    }
    if !matches!(asked.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        asked.body = body(incoming, max_bytes).await.ok_or(TooLong)?;
    }
    Ok(asked)
}

/// What is known of the viewer beside the request: our host says it, elsewhere it stands in the URL and in the headers that the owner
/// trusts for the country, the network and the address (`TIDEGATE_COUNTRY_HEADER`, as `cloudfront-viewer-country`, and so on).
fn viewer(headers: &HeaderMap, uri: &Uri) -> Vec<(&'static str, String)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = |variable: &str| std::env::var(variable).ok().and_then(|name| header(&name.to_ascii_lowercase()));
    let edge = std::env::var("TIDEGATE_EDGE").ok();
    let values = if has_our_host() {
        let [host, scheme, country] = ["host", "scheme", "country"].map(|what| header(&format!("tidegate-viewer-{what}")));
        [host, scheme, country, None, None, edge]
    } else {
        let (host, scheme) = (uri.authority().map(|authority| authority.as_str().to_owned()), uri.scheme_str().map(str::to_owned));
        let [country, network, address] = ["COUNTRY", "NETWORK", "ADDRESS"].map(|what| named(&format!("TIDEGATE_{what}_HEADER")));
        [host, scheme, country, network, address, edge]
    };
    [HOST, SCHEME, COUNTRY, NETWORK, ADDRESS, EDGE].into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
}
