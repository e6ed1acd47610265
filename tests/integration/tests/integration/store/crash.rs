use std::{
    env, fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tidegate_ingest_worker::store::{Bucket as _, Condition, Etag, Store};
use tidegate_integration::{Child, Embedded, S3};
use tidegate_stream::{Hash, Key, RecordNumber, SessionId, StreamId};

const FOLDER: &str = "TIDEGATE_TEST_STORE_FOLDER";
const START_LIMIT: Duration = Duration::from_secs(60);

/// Is the store of the test below, in a process of its own; does nothing where nobody asked for it.
#[test]
fn child_is_a_store() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let embedded = Embedded::start_in(&folder.join("store"));
    fs::write(folder.join("addr.tmp"), embedded.addr.to_string()).unwrap();
    fs::rename(folder.join("addr.tmp"), folder.join("addr")).unwrap();
    loop {
        std::thread::park();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn store_killed_while_it_writes_keeps_whole_objects_and_all_that_it_answered() {
    let dir = tempfile::tempdir().unwrap();
    let (mut written, mut in_flight) = (0, 0);
    for round in 0..5 {
        let (child, s3) = start_child(dir.path());
        let answered: Arc<Mutex<Vec<(Key, Etag)>>> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> =
            (0..6).map(|writer| tokio::spawn(write(s3.clone(), round * 6 + writer, Arc::clone(&answered), Arc::clone(&stop)))).collect();
        tokio::time::sleep(Duration::from_millis(400 + 130 * round)).await;
        child.kill();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.await.unwrap();
        }
        let drafts = fs::read_dir(dir.path().join("store/tmp")).unwrap().count();
        in_flight += drafts;
        let embedded = Embedded::start_in(&dir.path().join("store"));
        assert_eq!(fs::read_dir(dir.path().join("store/tmp")).unwrap().count(), 0, "drafts are swept");
        let store = Store::connect(embedded.s3.store_config()).await.unwrap();
        let answered = std::mem::take(&mut *answered.lock().unwrap());
        for (key, etag) in &answered {
            let there = store.get(key).await.unwrap().unwrap_or_else(|| panic!("round {round}: {key} was answered and is gone"));
            assert_eq!((&there.etag, is_whole(key, &there.bytes)), (etag, true), "round {round}: {key}");
        }
        written += check_all(&store).await;
    }
    println!("embedded: 5 times killed, {written} objects whole, {in_flight} drafts were open");
    assert!(written > 50, "the store was busy when it was killed: {written}");
}

/// Every object that is listed is whole, whether its write was answered or not.
async fn check_all(store: &Store) -> usize {
    let mut pages = store.client().list_objects_v2().bucket(store.bucket()).into_paginator().send();
    let mut whole = 0;
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = Key::parse(object.key().unwrap()).unwrap();
            let there = store.get(&key).await.unwrap().unwrap();
            assert_eq!(there.bytes.len() as i64, object.size().unwrap());
            assert!(is_whole(&key, &there.bytes), "{key} is torn");
            whole += 1;
        }
    }
    whole
}

async fn write(s3: S3, session: u64, answered: Arc<Mutex<Vec<(Key, Etag)>>>, stop: Arc<AtomicBool>) {
    let store = Store::connect(s3.store_config()).await.unwrap();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let key =
            Key::Record { stream: StreamId::parse("demo").unwrap(), session: SessionId::new(session, 0), number: RecordNumber(number) };
        let body = body_of(&key, 1000 + (number as usize * 7919) % 1_500_000);
        if let Ok(etag) = store.put(&key, body, Condition::Absent).await {
            answered.lock().unwrap().push((key, etag));
        }
    }
}

/// A body that says itself whether it is whole: the key, filling, and the hash of both.
fn body_of(key: &Key, filling: usize) -> Bytes {
    let mut body = key.to_string().into_bytes();
    body.resize(body.len() + filling, 0x5a);
    body.extend(Hash::of(&body).0);
    body.into()
}

fn is_whole(key: &Key, body: &[u8]) -> bool {
    let Some((text, hash)) = body.split_last_chunk::<32>() else { return false };
    text.starts_with(key.to_string().as_bytes()) && Hash::of(text).0 == *hash
}

fn start_child(dir: &Path) -> (Child, S3) {
    let _ = fs::remove_file(dir.join("addr"));
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "store::crash::child_is_a_store", "--nocapture"]).env(FOLDER, dir).stdin(Stdio::null()).stdout(Stdio::null());
    let child = Child::start(command).unwrap();
    let start = Instant::now();
    let addr: SocketAddr = loop {
        if let Ok(addr) = fs::read_to_string(dir.join("addr")) {
            break addr.parse().unwrap();
        }
        assert!(start.elapsed() < START_LIMIT, "the store of the child does not start");
        std::thread::sleep(Duration::from_millis(10));
    };
    (child, S3::at(addr.port()))
}
