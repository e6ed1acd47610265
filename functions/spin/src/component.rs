use std::{cell::RefCell, time::Duration};

use spin_sdk::{
    http::{BoxBody, HeaderMap, Request, Response, Uri},
    http_service,
};
use tidegate_access::{COUNTRY, HOST, SCHEME};
use tidegate_dispatch::{Dispatch, Host, Settled, State, Step};
use tidegate_function::{Reach, Waited};

use crate::{
    answer::{greet, respond, send_by_host, wait_by_host},
    shell::{Shell, body},
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
    let asked = match asked(request, &shell).await {
        Ok(asked) => asked,
        Err(TooLong) => return respond(413, &[], b"the body is too long\n".to_vec()),
    };
    let mut dispatch = Dispatch::new(asked, if shell.has_host { Host::Moves } else { Host::Holds });
    loop {
        match STATE.with_borrow_mut(|state| dispatch.poll(state, &world())) {
            Step::Do(output) => {
                let input = shell.carry_out(output).await;
                STATE.with_borrow_mut(|state| dispatch.handle(state, &world(), input));
            }
            Step::Pause { ms } => spin_sdk::time::sleep(Duration::from_millis(ms)).await,
            Step::Respond(Settled { status, headers, body }) => return respond(status, &headers, body),
            Step::Send { pieces, headers } => return send_by_host(&pieces, &headers),
            Step::Wait { key, expect_ms, timeout_ms } => return wait_by_host(&key, expect_ms, timeout_ms),
        }
    }
}

struct TooLong;

async fn asked(request: Request, shell: &Shell) -> Result<tidegate_function::Request, TooLong> {
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
        asked.body = body(incoming).await.ok_or(TooLong)?;
    }
    Ok(asked)
}

/// What is known of the viewer beside the request: our host says it, elsewhere it stands in the URL and in the header that the owner
/// trusts for the country (`TIDEGATE_COUNTRY_HEADER`, as `cloudfront-viewer-country`).
fn viewer(headers: &HeaderMap, uri: &Uri) -> Vec<(&'static str, String)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A viewer can write any header, but not the environment.
    let values = if std::env::var("TIDEGATE_HOST").is_ok_and(|value| value == "1") {
        [header("tidegate-viewer-host"), header("tidegate-viewer-scheme"), header("tidegate-viewer-country")]
    } else {
        let country = std::env::var("TIDEGATE_COUNTRY_HEADER").ok().and_then(|name| header(&name.to_ascii_lowercase()));
        [uri.authority().map(|authority| authority.as_str().to_owned()), uri.scheme_str().map(str::to_owned), country]
    };
    [HOST, SCHEME, COUNTRY].into_iter().zip(values).filter_map(|(name, value)| Some((name, value?))).collect()
}
