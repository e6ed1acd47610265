//! The real `tidegate doctor`: it passes stores that keep their word, with a stream through all of it, and refuses those that do not.

use std::{collections::BTreeMap, process::Command};

use tidegate_ingest_worker::store::Store;
use tidegate_integration::{Minio, platform::target};
use tidegate_rig::{Conditions, Store as Careless};

/// Enough for a whole segment after the first.
const STREAMED: &str = "6";

/// What it found, by the name of the check: the outcome and the sentence, with the advice.
struct Examined {
    code: i32,
    findings: BTreeMap<String, (String, String)>,
    text: String,
}

impl Examined {
    fn outcome(&self, check: &str) -> &str {
        self.findings.get(check).map_or("not looked at", |(outcome, _)| outcome)
    }

    fn failed(&self) -> Vec<&str> {
        self.findings.iter().filter(|(_, (outcome, _))| outcome == "failed").map(|(check, _)| check.as_str()).collect()
    }
}

fn doctor(arguments: &[&str], variables: &[(&str, &str)]) -> Examined {
    let binary = target().join("debug/tidegate");
    assert!(binary.is_file(), "the command line is not built: run infra/build");
    let mut command = Command::new(binary);
    command.args(["doctor", "--json", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0"]).args(arguments);
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied()).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"));
    let word = |one: &serde_json::Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings =
        findings.map(|one| (word(one, "check"), (word(one, "outcome"), format!("{}. {}", word(one, "seen"), word(one, "advice")))));
    Examined { code: output.status.code().unwrap(), findings: findings.collect(), text }
}

#[test]
fn doctor_passes_the_embedded_store_with_a_signed_stream_through_all_of_it() {
    let seen = doctor(&["--store", "embedded", "--seconds", STREAMED], &[]);
    assert_eq!((seen.code, seen.failed()), (0, vec![]), "{}", seen.text);
    for check in ["store.write-once", "store.race", "store.cors", "store.append", "path.publish", "path.token", "path.end", "path.clean"] {
        assert_eq!(seen.outcome(check), "fine", "{check}: {}", seen.text);
    }
    // A machine with other work may be late, and says so.
    assert!(["fine", "warning"].contains(&seen.outcome("path.watch")), "{}", seen.text);
}

#[test]
fn doctor_passes_minio_and_leaves_nothing_of_the_stream() {
    let Some(minio) = Minio::start("doctor on MinIO") else { return };
    let s3 = &minio.s3;
    let variables = [
        ("AWS_ENDPOINT_URL", s3.endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", &s3.access_key),
        ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
    ];
    let seen = doctor(&["--store", &format!("s3://{}", s3.bucket), "--seconds", STREAMED], &variables);
    assert_eq!((seen.code, seen.failed()), (0, vec![]), "{}", seen.text);
    assert_eq!(
        (seen.outcome("path.end"), seen.outcome("path.token")),
        ("fine", "skipped"),
        "no keys are made in a bucket of somebody: {}",
        seen.text
    );
    let left = async {
        let store = Store::connect(s3.store_config()).await.unwrap();
        let page = store.client().list_objects_v2().bucket(&s3.bucket).send().await.unwrap();
        page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    let left = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(left);
    // What has happened is numbered, and others count on from there.
    let left: Vec<_> = left.iter().filter(|key| !key.starts_with("meta/events/") && !key.starts_with("meta/reached/")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor_refuses_two_stores_that_do_not_keep_conditions_and_streams_nothing_to_them() {
    for (conditions, expected) in [
        (Conditions::Ignored, ["store.write-once", "store.if-match", "store.race", "store.counter"].as_slice()),
        (Conditions::LookedAt, ["store.race", "store.counter"].as_slice()),
    ] {
        let store = Careless::start().await;
        store.conditions(conditions);
        let endpoint = store.endpoint();
        let seen = tokio::task::spawn_blocking(move || {
            let variables = [
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "a"),
                ("AWS_SECRET_ACCESS_KEY", "b"),
            ];
            doctor(&["--store", "s3://bucket", "--seconds", STREAMED], &variables)
        });
        let seen = seen.await.unwrap();
        assert_eq!(seen.code, 1, "{conditions:?}: {}", seen.text);
        for check in expected {
            let (outcome, sentence) = &seen.findings[*check];
            assert_eq!(outcome, "failed", "{conditions:?}, {check}: {}", seen.text);
            assert!(sentence.contains("would lose parts of streams") && sentence.contains("MinIO"), "{sentence}");
        }
        assert_eq!(seen.outcome("path"), "skipped", "{}", seen.text);
    }
}
