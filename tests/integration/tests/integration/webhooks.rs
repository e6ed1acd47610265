//! Events on their way to a webhook, while those who send them are killed.

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tidegate::webhooks::{deliver, now_utc_ms, outside};
use tidegate_ingest_worker::store::{Bucket as _, Condition, Store};
use tidegate_integration::Embedded;
use tidegate_metadata::{Schedule, signature};
use tidegate_stream::{EventKind, Json, Ledger, MetaKey, SessionId, event_document};

const SECRET: &str = "whsec_test";
const EVENTS: u64 = 40;
const KILLS: u64 = 8;
/// The clock of the senders runs so much faster, that the lease of one that was killed does not last for half a minute.
const FASTER: u64 = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// What has come, in the order in which it came.
type Taken = Arc<Mutex<Vec<String>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_that_are_killed_lose_no_event() {
    let embedded = Embedded::start();
    let store = Store::connect(embedded.s3.store_config()).await.unwrap();
    store.ensure_bucket().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let taken = Taken::default();
    std::thread::spawn({
        let taken = Arc::clone(&taken);
        move || receive(&listener, &taken)
    });
    let webhook = Json::object().with("id", "w1").with("url", format!("http://{place}/hook")).with("secret", SECRET);
    let webhooks = Json::object().with("webhooks", vec![webhook.with("events", Vec::<Json>::new())]);
    store.put(&MetaKey::Webhooks.into(), webhooks.to_bytes().into(), Condition::Any).await.unwrap();

    let began = (Instant::now(), now_utc_ms());
    let clock = move || began.1 + u64::try_from(began.0.elapsed().as_millis()).unwrap() * FASTER;
    let sender = || {
        let schedule = Schedule { pauses_ms: vec![1000; 50] };
        tokio::spawn(deliver(store.clone(), outside(std::slice::from_ref(&place)), schedule, clock))
    };
    let mut senders = [sender(), sender()];
    let mut expected = BTreeSet::new();
    for number in 0..EVENTS {
        let id = SessionId::new(now_utc_ms(), number);
        let event = event_document(EventKind::StreamLive, &id, None, Json::object().with("number", number));
        store.put(&MetaKey::Entry { ledger: Ledger::Events, number }.into(), event.to_bytes().into(), Condition::Absent).await.unwrap();
        expected.insert(id.to_string());
        if number % (EVENTS / KILLS) == 2 {
            // Whichever holds the lease, in the middle of whatever it does.
            let killed = senders.get_mut((number % 2) as usize).unwrap();
            killed.abort();
            *killed = sender();
        }
        tokio::time::sleep(Duration::from_millis(20 + number * 7 % 60)).await;
    }
    let begun = Instant::now();
    loop {
        let seen: BTreeSet<String> = taken.lock().unwrap().iter().cloned().collect();
        if seen == expected {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{} of {} events have come", seen.len(), expected.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    senders.iter().for_each(tokio::task::JoinHandle::abort);
    println!("{EVENTS} events, {KILLS} kills: all have come, in {} deliveries that were taken", taken.lock().unwrap().len());
}

/// A webhook that fails each third time.
fn receive(listener: &TcpListener, taken: &Taken) {
    for (count, connection) in listener.incoming().enumerate() {
        let Some((id, is_signed)) = connection.ok().and_then(|connection| one(connection, count % 3 == 2)) else { continue };
        assert!(is_signed, "{id} is not signed");
        if count % 3 != 2 {
            taken.lock().unwrap().push(id);
        }
    }
}

fn one(connection: TcpStream, fails: bool) -> Option<(String, bool)> {
    let mut reader = BufReader::new(connection);
    let (mut id, mut signed, mut len) = (String::new(), String::new(), 0);
    for line in reader.by_ref().lines() {
        let line = line.ok()?;
        match line.split_once(": ") {
            Some(("tidegate-event", value)) => id = value.into(),
            Some(("tidegate-signature", value)) => signed = value.into(),
            Some(("content-length", value)) => len = value.parse().ok()?,
            Some(_) => {}
            None if line.is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    let time_s = signed.strip_prefix("t=")?.split_once(',')?.0.parse().ok()?;
    let status = if fails { "500 Internal Server Error" } else { "200 OK" };
    // A sender that was killed does not hear it, and what it sent counts all the same.
    let _ = write!(reader.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    Some((id, signed == signature(SECRET, time_s, &body)))
}
