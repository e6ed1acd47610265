//! The real component behind the host gives the golden answers.
use http::Method;
use tidegate_golden::{cases, golden_bucket};

use crate::setup::{Edge, functions};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_cases_are_the_same_bytes_from_the_component() {
    let Some(component) = functions() else { return };
    let edge = Edge::start_with(|config| config.component = component).await;
    for (key, bytes) in golden_bucket() {
        edge.store.put(&key, bytes, "");
    }
    let mut wrong = Vec::new();
    for case in cases() {
        let headers: Vec<(&str, &str)> = case.request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let method = Method::from_bytes(case.request.method.as_bytes()).unwrap();
        let answer = edge.send(method, &case.request.target, &headers).await;
        let header = |name: &str| Some(answer.header(name).to_owned());
        wrong.extend(case.check(answer.status.as_u16(), header, &answer.body).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
