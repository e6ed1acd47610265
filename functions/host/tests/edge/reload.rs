//! Another component while viewers are there.
use std::{fs, time::Duration};

use tidegate_host::{HostError, ImportError};

use tidegate_rig::IMMUTABLE;

use crate::setup::{Edge, scripted, target};

/// A component that says another version of the words between host and functions.
fn of_version(version: u8) -> Vec<u8> {
    let mut component = fs::read(scripted()).unwrap();
    let (from, to) = (b"functions/turns@2.".as_slice(), format!("functions/turns@{version}."));
    let named: Vec<_> = component.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    assert!(!named.is_empty(), "the version stands in the component");
    for at in named {
        component[at..at + from.len()].copy_from_slice(to.as_bytes());
    }
    component
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parked_viewers_live_through_another_component() {
    let folder = tempfile::tempdir_in(target()).unwrap();
    let component = folder.path().join("functions.wasm");
    fs::copy(scripted(), &component).unwrap();
    let path = component.clone();
    let edge = Edge::start_with(|config| config.component = path).await;
    let count = edge.get("/count?no-store").await;
    assert_eq!(count.text(), "0");
    assert_eq!(edge.get("/count?public,max-age=9").await.text(), "1");
    let parked = edge.many(50, "/wait/log/7?timeout-ms=9000");
    let busy = edge.many(5, "/slow?no-store");
    tokio::time::sleep(Duration::from_millis(50)).await;

    edge.reload().now().await.unwrap();
    assert_eq!(edge.get("/count?public,max-age=9").await.text(), "0", "a new component, and nothing kept of the old one");
    for busy in busy {
        assert_eq!(busy.await.unwrap().status, 200);
    }
    edge.store.put("log/7", "record", IMMUTABLE);
    for parked in parked {
        assert_eq!(parked.await.unwrap().text(), "There");
    }
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_does_not_fit_is_refused_in_one_sentence_and_the_old_one_stays() {
    let folder = tempfile::tempdir_in(target()).unwrap();
    let component = folder.path().join("functions.wasm");
    fs::copy(scripted(), &component).unwrap();
    let path = component.clone();
    let edge = Edge::start_with(|config| config.component = path).await;
    for (version, advice) in [(3, "update the host"), (1, "build the component anew")] {
        fs::write(&component, of_version(version)).unwrap();
        let error = edge.reload().now().await.unwrap_err();
        assert!(matches!(error, HostError::Imports(ImportError::Version { .. })), "{error}");
        let text = error.to_string();
        assert!(text.contains(&format!("speaks version {version}")) && text.ends_with(advice), "{text}");
        assert_eq!(edge.get("/noop").await.text(), "ok");
    }
    fs::write(&component, "not a component").unwrap();
    assert!(edge.reload().now().await.is_err());
    assert_eq!(edge.get("/noop").await.text(), "ok");
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_changes_is_taken_by_itself() {
    let folder = tempfile::tempdir_in(target()).unwrap();
    let component = folder.path().join("functions.wasm");
    fs::copy(scripted(), &component).unwrap();
    let path = component.clone();
    let edge = Edge::start_with(|config| config.component = path).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let watching = tokio::spawn(edge.reload().clone().watch(stop.clone()));
    assert_eq!(edge.get("/count?no-store").await.text(), "0");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    fs::copy(scripted(), folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), &component).unwrap();
    let mut counts = Vec::new();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        counts.push(edge.get("/count?no-store").await.text().to_owned());
        if counts.last().is_some_and(|count| count == "0") {
            break;
        }
    }
    assert_eq!(counts.last().map(String::as_str), Some("0"), "{counts:?}");
    stop.cancel();
    watching.await.unwrap();
    edge.stopped().await;
}
