//! The metadata function, run here beside the bucket: whoever has the bucket's keys needs no API token.

use std::{fs::File, io::Read as _};

use anyhow::{Context as _, bail};
use tidegate_function::{Answer, Request};
use tidegate_ingest_worker::store::{Store, drive};
use tidegate_metadata::{Job, State};
use tidegate_stream::Json;

/// Asks what a client of the API could ask; the status and the document of the answer.
pub(crate) async fn ask(store: &Store, method: &str, path: &str, body: &Json) -> anyhow::Result<(u16, Json)> {
    let headers = vec![("content-type".into(), "application/json".into())];
    let request = Request { method: method.into(), path: path.into(), headers, body: body.to_bytes(), ..Request::default() };
    let answer = drive(store, Job::trusted(request), &mut State::new(), random).await?;
    let Answer::Respond { status, body, .. } = answer else { bail!("{path} has no answer of its own") };
    let document = if body.is_empty() { Json::Null } else { Json::parse(&body).context("the answer does not read")? };
    Ok((status, document))
}

/// What a problem says, for a person.
pub(crate) fn sentence(problem: &Json) -> String {
    let errors = problem.get("errors").map_or(&[][..], Json::items).iter();
    let errors: Vec<String> = errors.map(|error| format!("{} {}", error.text_of("pointer"), error.text_of("detail"))).collect();
    if errors.is_empty() { format!("{}: {}", problem.text_of("title"), problem.text_of("detail")) } else { errors.join("; ") }
}

pub(crate) fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}
