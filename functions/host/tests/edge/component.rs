use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    time::{Duration, Instant},
};

use http::Method;
use tidegate_host::{Host, check_imports};
use wasmtime::{Engine, component::Component};

use tidegate_rig::Store;

use crate::setup::{Edge, config, functions, scripted};

#[test]
fn the_component_imports_no_more_than_every_host_of_functions_has() {
    let mut wasm = wasmtime::Config::new();
    wasm.wasm_component_model_async(true);
    let engine = Engine::new(&wasm).unwrap();
    for path in [Some(scripted().to_owned()), functions()].into_iter().flatten() {
        let component = Component::from_file(&engine, &path).unwrap();
        assert_eq!(check_imports(&engine, &component), Ok(()), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_component_answers_what_is_not_there_with_404() {
    let Some(component) = functions() else { return };
    let edge = Edge::start_with(|config| config.component = component).await;
    for path in ["/live/nobody/index.m3u8", "/live/../x", "/live/", "/nothing"] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_a_502_for_that_request_and_nobody_else() {
    let edge = Edge::start().await;
    assert_eq!(edge.get("/noop").await.text(), "ok");
    let neighbours = edge.many(8, "/slow?no-store");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let answer = edge.get("/panic").await;
    assert_eq!((answer.status.as_u16(), answer.text()), (502, "the functions failed\n"));
    for neighbour in neighbours {
        assert_eq!(neighbour.await.unwrap().status, 200);
    }
    assert_eq!(edge.get("/noop").await.status, 200);
    assert!(edge.metric("guest_traps_total").await >= 2);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_is_a_504_and_others_go_on() {
    let edge = Edge::start_with(|config| config.limits.guest_time = Duration::from_secs(1)).await;
    let start = Instant::now();
    let endless = edge.many(1, "/spin");
    tokio::time::sleep(Duration::from_millis(100)).await;
    let others = Instant::now();
    assert_eq!(edge.get("/noop").await.status, 200);
    assert!(others.elapsed() < Duration::from_millis(800), "another request took {:?}", others.elapsed());
    for endless in endless {
        assert_eq!(endless.await.unwrap().status, 504);
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    edge.stopped().await;
}

#[test]
fn a_host_that_stops_while_the_component_loops_leaves_no_thread_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let edge = Edge::start_with(|config| config.limits.drain = Duration::from_millis(100)).await;
        let _endless = edge.many(1, "/spin");
        tokio::time::sleep(Duration::from_millis(100)).await;
        edge.stopped().await;
    });
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Waits for the threads, and so for the loop.
        drop(runtime);
        done.send(()).unwrap();
    });
    assert_eq!(ended.recv_timeout(Duration::from_secs(5)), Ok(()), "the component loops on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_without_end_is_a_502() {
    let edge = Edge::start().await;
    assert_eq!(edge.get("/memory").await.status, 502);
    assert_eq!(edge.get("/noop").await.status, 200);
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compiled_component_is_taken_only_from_where_nobody_else_can_write() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("compiled");
    let store = Store::start().await;
    let bind = || async {
        let mut config = config(&store);
        config.cache_dir = Some(cache.clone());
        Host::bind(config).await.unwrap();
    };
    bind().await;
    let file = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    let written = |file: &std::path::Path| fs::metadata(file).unwrap().modified().unwrap();
    let first = written(&file);
    bind().await;
    assert_eq!(written(&file), first, "the second start compiled again");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    bind().await;
    assert_ne!(written(&file), first, "a file that anybody could have written was run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_cannot_speak_the_words_of_the_host() {
    let edge = Edge::start().await;
    let headers = [("tidegate-waited", "1"), ("tidegate-send", "key=meta/keys/x"), ("cookie", "a=b"), ("connection", "close")];
    let answer = edge.send(Method::GET, "/echo", &headers).await;
    assert!(answer.text().contains("cookie: \"a=b\""), "{}", answer.text());
    // What the host says of a viewer is the host's own.
    let forged = edge.send(Method::GET, "/echo", &[("cookie", "a=b"), ("viewer-country", "AT")]).await;
    assert!(!forged.text().contains("AT") && forged.text().contains("viewer-scheme: \"http\""), "{}", forged.text());
    assert!(forged.text().contains(&format!("viewer-host: \"{}\"", edge.address())), "{}", forged.text());
    assert!(!answer.text().contains("tidegate-waited") && !answer.text().contains("tidegate-send"), "{}", answer.text());
    edge.stopped().await;
}
