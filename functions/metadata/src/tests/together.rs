//! Many at once: requests whose steps come in any order, and some that stop in the middle.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use proptest::prelude::*;
use tidegate_stream::{IndexPage, Json, Scope};

use super::world::{Bucket, request, said};
use crate::Job;

/// A client's plan: what it asks for next, given the ETag that it knows.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Create,
    Rename,
    Retag,
    Delete,
    Key,
}

fn job(bucket: &mut Bucket, token: &str, wish: Wish, stream: u8, n: usize) -> Job {
    let id = format!("s{stream}");
    let path = format!("/api/v1/streams/{id}");
    let etag = bucket.get(&path, token).header("etag").to_string();
    let json = ("content-type", "application/json");
    let auth = ("authorization", token);
    let request = match wish {
        Wish::Create => request("POST", "/api/v1/streams", &[auth, json], &format!(r#"{{"id":"{id}","title":"made {n}"}}"#)),
        Wish::Rename => request("PATCH", &path, &[auth, json, ("if-match", &etag)], &format!(r#"{{"title":"named {n}"}}"#)),
        Wish::Retag => request("PATCH", &path, &[auth, json, ("if-match", &etag)], &format!(r#"{{"tags":["t{n}"]}}"#)),
        Wish::Delete => request("DELETE", &path, &[auth, ("if-match", &etag)], ""),
        Wish::Key => request("POST", &format!("{path}/keys"), &[auth, json], "{}"),
    };
    Job::new(request)
}

fn wishes() -> impl Strategy<Value = Wish> {
    prop_oneof![
        2 => Just(Wish::Create),
        3 => Just(Wish::Rename),
        1 => Just(Wish::Retag),
        1 => Just(Wish::Delete),
        1 => Just(Wish::Key),
    ]
}

/// What the documents say, and what the list says.
fn compare(bucket: &mut Bucket, token: &str) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let documents = bucket.objects.iter().filter(|(key, _)| key.starts_with("meta/streams/"));
    let documents: Vec<Json> = documents.map(|(_, (bytes, _))| Json::parse(bytes).unwrap()).collect();
    let living = documents.iter().filter(|json| json.get("deleted").is_none());
    let shown = |json: &Json| (json.text_of("id").to_string(), format!("{} {}", json.text_of("title"), json.get("tags").unwrap()));
    let listed = bucket.all("/api/v1/streams?limit=3", token);
    let count = listed.len();
    let listed: BTreeMap<String, String> = listed.iter().map(shown).collect();
    assert_eq!(listed.len(), count, "nothing is listed twice");
    (living.map(shown).collect(), listed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// The list says what the documents say, whatever comes in between and wherever a request stops.
    #[test]
    fn list_is_as_good_as_the_documents(
        plan in prop::collection::vec((wishes(), 0..3u8), 4..24),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0..40u8), 600),
    ) {
        let mut bucket = Bucket::new();
        let token = bucket.token(&Scope::ALL);
        let mut waiting: Vec<(Wish, u8)> = plan.into_iter().rev().collect();
        let mut open: Vec<Job> = Vec::new();
        let mut n = 0;
        for (which, fate) in order {
            bucket.now_utc_ms += 1;
            while open.len() < 4 && let Some((wish, stream)) = waiting.pop() {
                n += 1;
                let job = job(&mut bucket, &token, wish, stream, n);
                open.push(job);
            }
            if open.is_empty() {
                break;
            }
            let at = which.index(open.len());
            if fate == 0 || bucket.step(&mut open[at]).is_some() {
                open.remove(at);
            }
        }
        // What is still open stops here, too.
        drop(open);
        let (documents, listed) = compare(&mut bucket, &token);
        prop_assert_eq!(&documents, &listed);
        // And after a long time, and one more change of each.
        bucket.now_utc_ms += 3_600_000;
        for stream in 0..3 {
            let job = job(&mut bucket, &token, Wish::Rename, stream, 1000);
            if bucket.run(job).status == 200 {
                let pages = bucket.objects.iter().filter(|(key, _)| key.starts_with("meta/index/"));
                let entries = pages.flat_map(|(_, (bytes, _))| IndexPage::parse(bytes).entries().to_vec());
                let mut of_stream = entries.filter(|entry| entry.stream.as_str() == format!("s{stream}"));
                prop_assert!(of_stream.all(|entry| entry.marks.is_empty()), "nothing stays marked for ever");
            }
        }
        let (documents, listed) = compare(&mut bucket, &token);
        prop_assert_eq!(documents, listed);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Eight writers add one to a number, ten times each, and read again where somebody was first.
    #[test]
    fn eighty_increments_by_eight_writers_lose_nothing(order in prop::collection::vec(0..8usize, 40_000)) {
        let mut bucket = Bucket::new();
        let token = bucket.token(&Scope::ALL);
        bucket.post("/api/v1/streams", &token, r#"{"id":"demo","title":"0"}"#);
        let mut left = [10u32; 8];
        let mut open: Vec<Option<Job>> = (0..8).map(|_| None).collect();
        for writer in order {
            if left[writer] == 0 {
                continue;
            }
            if open[writer].is_none() {
                let read = bucket.get("/api/v1/streams/demo", &token);
                let next = read.json.text_of("title").parse::<u32>().unwrap() + 1;
                let etag = read.header("etag").to_string();
                let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("if-match", etag.as_str())];
                open[writer] = Some(Job::new(request("PATCH", "/api/v1/streams/demo", &headers, &format!(r#"{{"title":"{next}"}}"#))));
            }
            let job = open[writer].as_mut().unwrap();
            if let Some(answer) = bucket.step(job) {
                open[writer] = None;
                match said(answer).status {
                    200 => left[writer] -= 1,
                    status => prop_assert_eq!(status, 412),
                }
            }
        }
        prop_assert_eq!(left, [0; 8], "the order was long enough");
        let end = bucket.get("/api/v1/streams/demo", &token).json;
        prop_assert_eq!(end.text_of("title"), "80");
        prop_assert_eq!(bucket.all("/api/v1/streams?q=80", &token).len(), 1, "the list has the last one");
    }
}
