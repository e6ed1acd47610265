#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::disallowed_methods, reason = "a test")]
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Request};
use tidegate_golden::{cases, golden_bucket};
use tidegate_rig::Store;
use tidegate_wasi::Functions;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_cases_are_the_same_bytes_by_wasi_http() {
    let Some(component) = component() else { return };
    let store = Store::start().await;
    for (key, bytes) in golden_bucket() {
        store.put(&key, bytes, "");
    }
    let upstream = format!("{}/bucket", store.endpoint());
    let functions = tokio::task::spawn_blocking(move || Functions::new(&component, upstream)).await.unwrap();
    let mut wrong = Vec::new();
    for case in cases() {
        let method = Method::from_bytes(case.request.method.as_bytes()).unwrap();
        let is_head = method == Method::HEAD;
        let mut request = Request::builder().method(method).uri(format!("http://edge.example{}", case.request.target));
        for (name, value) in &case.request.headers {
            request = request.header(name, value);
        }
        let (head, body) = functions.answer(request.body(()).unwrap()).await.into_parts();
        let header = |name: &str| Some(head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned());
        // The server around leaves out this one.
        let body = if is_head { Bytes::new() } else { body };
        wrong.extend(case.check(head.status.as_u16(), header, &body).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The component that edges run; `None`, said aloud, where it is not built. In CI it has to be there.
fn component() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = std::env::var_os("TIDEGATE_COMPONENT").map_or_else(|| target.join("tidegate/functions.wasm"), PathBuf::from);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "no functions component at {}", path.display());
    eprintln!("SKIPPED: no functions component at {}; build it or name it in TIDEGATE_COMPONENT", path.display());
    None
}
