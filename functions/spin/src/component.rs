use spin_sdk::{
    http::{BoxBody, Request, Response},
    http_service,
};
use tidegate_function::Waited;

use crate::{
    answer::{respond, send, send_by_host, wait_by_host},
    dispatch::{Settled, dispatch},
    shell::{Shell, body},
};

#[http_service]
async fn serve(request: Request) -> anyhow::Result<Response<BoxBody>> {
    let shell = Shell::new(request.headers());
    let asked = match asked(request, &shell).await {
        Ok(asked) => asked,
        Err(TooLong) => return respond(413, &[], b"the body is too long\n".to_vec()),
    };
    match dispatch(asked, &shell).await {
        Settled::Respond { status, headers, body } => respond(status, &headers, body),
        Settled::Send { pieces, headers } if shell.has_host => send_by_host(&pieces, &headers),
        Settled::Send { pieces, headers } => send(&shell, pieces, &headers).await,
        Settled::Wait { key, expect_ms, timeout_ms } => wait_by_host(&key, expect_ms, timeout_ms),
    }
}

struct TooLong;

async fn asked(request: Request, shell: &Shell) -> Result<tidegate_function::Request, TooLong> {
    let (head, incoming) = request.into_parts();
    let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    let waited = header("tidegate-waited").filter(|_| shell.has_host).and_then(Waited::parse);
    let headers = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let mut asked = tidegate_function::Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.filter(|(name, _)| !name.starts_with("tidegate-")).collect(),
        body: Vec::new(),
        waited,
    };
    if !matches!(asked.method.as_str(), "GET" | "HEAD" | "OPTIONS") {
        asked.body = body(incoming).await.ok_or(TooLong)?;
    }
    Ok(asked)
}
