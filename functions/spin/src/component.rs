use std::time::Duration;

use bytes::Bytes;
use spin_sdk::{
    http::{BoxBody, FullBody, HeaderMap, Request, Response, Uri, box_body},
    http_service,
};
use tidegate_access::{COUNTRY, HOST, SCHEME};
use tidegate_analytics::{ADDRESS, EDGE, NETWORK};
use tidegate_dispatch::{Dispatch, Host, Settled, Step};
use tidegate_function::Header;

use crate::{
    shell::{REQUEST_BYTES, Shell, body},
    state::with_state,
    world::world,
};

#[http_service]
async fn serve(request: Request) -> anyhow::Result<Response<BoxBody>> {
    let Ok(asked) = asked(request).await else { return respond(413, &[], b"the body is too long\n".to_vec()) };
    let Settled { status, headers, body } = run(asked, &Shell::new()).await;
    respond(status, &headers, body)
}

/// Does what a request needs until there is an answer.
async fn run(asked: tidegate_function::Request, shell: &Shell) -> Settled {
    let mut dispatch = Dispatch::new(asked, Host::Holds);
    loop {
        match with_state(|state| dispatch.poll(state, &world())) {
            Step::Do(output) => {
                let input = shell.carry_out(output).await;
                with_state(|state| dispatch.handle(state, &world(), input));
            }
            Step::Pause { ms } => spin_sdk::time::sleep(Duration::from_millis(ms)).await,
            Step::Respond(settled) => return settled,
            // Only hosts that move bytes themselves are told these.
            Step::Send { .. } | Step::Wait { .. } => return Settled { status: 503, headers: Vec::new(), body: Vec::new() },
        }
    }
}

/// An answer; the server around leaves out the body for HEAD.
///
/// Without content-length, the last packet of an answer waits 40 ms on hosts that leave Nagle's algorithm on, as Spin does.
fn respond(status: u16, headers: &[Header], body: Vec<u8>) -> anyhow::Result<Response<BoxBody>> {
    let mut response = Response::builder().status(status).header("content-length", body.len());
    for (name, value) in headers {
        response = response.header(*name, value.as_ref());
    }
    Ok(response.body(box_body(FullBody::new(Bytes::from(body))))?)
}

struct TooLong;

async fn asked(request: Request) -> Result<tidegate_function::Request, TooLong> {
    let (head, incoming) = request.into_parts();
    let headers = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut asked = tidegate_function::Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.filter(|(name, _)| !name.starts_with("viewer-")).collect(),
        ..tidegate_function::Request::default()
    };
    for (name, value) in viewer(&head.headers, &head.uri) {
        asked.headers.push((name.to_owned(), value));
    }
    if !matches!(asked.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        asked.body = body(incoming, REQUEST_BYTES).await.ok_or(TooLong)?;
    }
    Ok(asked)
}

/// What is known of the viewer beside the request: it stands in the URL and in the headers that the owner trusts for the country, the
/// network and the address (`TIDEGATE_COUNTRY_HEADER`, as `cloudfront-viewer-country`, and so on).
fn viewer(headers: &HeaderMap, uri: &Uri) -> impl Iterator<Item = (&'static str, String)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let named = |variable: &str| std::env::var(variable).ok().and_then(|name| header(&name.to_ascii_lowercase()));
    let (host, scheme) = (uri.authority().map(|authority| authority.as_str().to_owned()), uri.scheme_str().map(str::to_owned));
    let [country, network, address] = ["COUNTRY", "NETWORK", "ADDRESS"].map(|what| named(&format!("TIDEGATE_{what}_HEADER")));
    let values = [host, scheme, country, network, address, std::env::var("TIDEGATE_EDGE").ok()];
    [HOST, SCHEME, COUNTRY, NETWORK, ADDRESS, EDGE].into_iter().zip(values).filter_map(|(name, value)| Some((name, value?)))
}
