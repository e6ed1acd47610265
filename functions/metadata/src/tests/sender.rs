use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use proptest::prelude::*;
use tidegate_function::{Condition, Fetched, Stored, World};
use tidegate_stream::{EventKind, Json, Key, Ledger, MetaKey, SessionId, event_document};

use super::world::NOW;
use crate::{Act, Came, Schedule, Sender, signature};

/// A bucket and webhooks; what is sent is remembered.
struct Outside {
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
    now_utc_ms: u64,
    taken: Vec<(String, String)>,
    /// What webhooks answer, by address.
    answers: BTreeMap<String, Option<u16>>,
}

impl Outside {
    fn new(webhooks: &[(&str, &[&str])]) -> Self {
        let mut outside = Self { objects: BTreeMap::new(), writes: 0, now_utc_ms: NOW, taken: Vec::new(), answers: BTreeMap::new() };
        let webhooks = webhooks.iter().map(|(id, events)| {
            let events: Vec<Json> = events.iter().map(|event| Json::from(*event)).collect();
            Json::object().with("id", *id).with("url", format!("https://{id}/")).with("secret", "s").with("events", events)
        });
        let webhooks = Json::object().with("webhooks", webhooks.collect::<Vec<_>>());
        outside.put(&MetaKey::Webhooks.into(), webhooks.to_bytes());
        outside
    }

    fn put(&mut self, key: &Key, bytes: Vec<u8>) -> String {
        self.writes += 1;
        self.objects.insert(key.to_string(), (bytes, self.writes));
        format!("\"{}\"", self.writes)
    }

    fn happen(&mut self, number: u64, kind: EventKind) {
        let event = event_document(kind, &SessionId::new(NOW, number), None, Json::object().with("webhook", "a"));
        self.put(&MetaKey::Entry { ledger: Ledger::Events, number }.into(), event.to_bytes());
    }

    fn step(&mut self, sender: &mut Sender) -> Act {
        let world = World { now_utc_ms: self.now_utc_ms, random: [self.writes as u8; 32] };
        let act = sender.poll(&world);
        let came = match act.clone() {
            Act::Fetch { key } => Came::Fetched(match self.objects.get(&key.to_string()) {
                Some((bytes, etag)) => Fetched::Got { bytes: bytes.clone(), etag: Some(format!("\"{etag}\"")), age_ms: None },
                None => Fetched::Missing,
            }),
            Act::Store { key, body, condition } => {
                let there = self.objects.get(&key.to_string()).map(|(_, etag)| format!("\"{etag}\""));
                let holds = match condition {
                    Condition::None => true,
                    Condition::Absent => there.is_none(),
                    Condition::Match(etag) => there == Some(etag),
                };
                Came::Stored(if holds { Stored::Done { etag: Some(self.put(&key, body)) } } else { Stored::Conflict })
            }
            Act::Post(deliveries) => {
                let statuses = deliveries.iter().map(|delivery| {
                    let status = self.answers.get(&delivery.url).copied().unwrap_or(Some(200));
                    if status == Some(200) {
                        self.taken.push((delivery.url.clone(), delivery.event.clone()));
                    }
                    status
                });
                Came::Posted { statuses: statuses.collect(), now_utc_ms: self.now_utc_ms }
            }
            Act::Rest { ms } => {
                self.now_utc_ms += ms.max(1);
                Came::Rested
            }
        };
        sender.handle(came);
        act
    }

    fn run(&mut self, sender: &mut Sender, steps: usize) {
        for _ in 0..steps {
            self.step(sender);
        }
    }

    fn undelivered(&self) -> Vec<Json> {
        let letters = self.objects.iter().filter(|(key, _)| key.starts_with("meta/undelivered/"));
        letters.map(|(_, (bytes, _))| Json::parse(bytes).unwrap()).collect()
    }
}

fn sender(name: &str) -> Sender {
    Sender::new(name.into(), Schedule::default())
}

#[test]
fn events_go_to_who_wants_them() {
    let mut outside = Outside::new(&[("a", &[]), ("b", &["stream.idle"])]);
    outside.happen(0, EventKind::StreamLive);
    outside.happen(1, EventKind::StreamIdle);
    outside.happen(2, EventKind::WebhookTest);
    outside.run(&mut sender("x"), 100);
    let mut taken: Vec<&str> = outside.taken.iter().map(|(url, _)| url.as_str()).collect();
    taken.sort_unstable();
    assert_eq!(taken, ["https://a/", "https://a/", "https://a/", "https://b/"]);
}

#[test]
fn failed_delivery_is_tried_again_later_and_later_and_then_given_up() {
    let mut outside = Outside::new(&[("a", &[]), ("b", &[])]);
    outside.answers.insert("https://b/".into(), Some(500));
    outside.happen(0, EventKind::StreamLive);
    let mut sender = sender("x");
    let mut tries = Vec::new();
    while outside.undelivered().is_empty() && tries.len() < 20 {
        if let Act::Post(deliveries) = outside.step(&mut sender)
            && deliveries.iter().any(|delivery| delivery.url == "https://b/")
        {
            tries.push(outside.now_utc_ms - NOW);
        }
    }
    assert_eq!(tries.len(), 8);
    let pauses: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, planned) in pauses.iter().zip(Schedule::default().pauses_ms) {
        assert!((planned..planned + planned / 4 + 1000).contains(pause), "{pauses:?}");
    }
    assert_eq!(outside.undelivered()[0].number_of("tries"), 8);
    assert_eq!(outside.taken.len(), 1, "the other got it at once");
    outside.run(&mut sender, 100);
    assert_eq!(outside.undelivered().len(), 1);
}

#[test]
fn webhook_that_is_gone_is_not_asked_again() {
    let mut outside = Outside::new(&[("a", &[])]);
    outside.answers.insert("https://a/".into(), Some(410));
    outside.happen(0, EventKind::StreamLive);
    outside.run(&mut sender("x"), 60);
    assert_eq!(outside.undelivered()[0].number_of("tries"), 1);
}

#[test]
fn silent_webhook_does_not_hold_up_others_and_loses_nothing_without_a_trace() {
    let mut outside = Outside::new(&[("a", &[]), ("b", &[])]);
    outside.answers.insert("https://b/".into(), None);
    for number in 0..200 {
        outside.happen(number, EventKind::StreamLive);
    }
    outside.run(&mut sender("x"), 6000);
    let to_a: alloc::collections::BTreeSet<_> = outside.taken.iter().filter(|(url, _)| url == "https://a/").collect();
    assert_eq!(to_a.len(), 200);
    assert!(outside.undelivered().iter().all(|letter| letter.text_of("webhook") == "b"));
}

#[test]
fn only_one_sends_and_the_other_goes_on_where_it_was_killed() {
    let mut outside = Outside::new(&[("a", &[])]);
    outside.happen(0, EventKind::StreamLive);
    let (mut first, mut second) = (sender("x"), sender("y"));
    outside.run(&mut first, 4);
    let Act::Fetch { .. } = outside.step(&mut second) else { panic!() };
    let Act::Rest { ms } = outside.step(&mut second) else { panic!("somebody else has the lease") };
    assert!(ms > 20_000, "{ms}");
    drop(first);
    outside.run(&mut second, 30);
    assert_eq!(outside.taken.len(), 1);
}

/// Nothing is read again while the lease holds; after half of it, it is made longer.
#[test]
fn a_round_in_which_nothing_has_happened_is_one_get() {
    let mut outside = Outside::new(&[("a", &[])]);
    outside.happen(0, EventKind::StreamLive);
    let mut sender = sender("x");
    outside.run(&mut sender, 40);
    let mut acts = Vec::new();
    let from = outside.now_utc_ms;
    while outside.now_utc_ms < from + 60_000 {
        acts.push(outside.step(&mut sender));
    }
    let looks = acts.iter().filter(|act| matches!(act, Act::Fetch { key: Key::Meta(MetaKey::Entry { .. }) })).count();
    let others = acts.iter().filter(|act| !matches!(act, Act::Rest { .. })).count() - looks;
    assert!((28..=33).contains(&looks) && (4..=10).contains(&others), "{looks} looks and {others} other acts in a minute");
    outside.happen(1, EventKind::StreamIdle);
    outside.run(&mut sender, 10);
    assert_eq!(outside.taken.len(), 2);
}

/// A sender that slept longer than its lease finds out that another has gone on, before it sends.
#[test]
fn a_sender_that_overslept_sends_nothing_twice() {
    let mut outside = Outside::new(&[("a", &[])]);
    let (mut first, mut second) = (sender("x"), sender("y"));
    outside.run(&mut first, 10);
    outside.now_utc_ms += 40_000;
    outside.happen(0, EventKind::StreamLive);
    outside.run(&mut second, 20);
    outside.run(&mut first, 20);
    assert_eq!(outside.taken.len(), 1);
}

#[test]
fn signature_is_that_of_openssl() {
    // printf '1700000000.{"id":"x"}' | openssl dgst -sha256 -hmac whsec_test
    let expected = "t=1700000000,v1=80e8d098018f757aa814ab1abb924f35d304affa1d93d29611a54696207eb7c3";
    assert_eq!(signature("whsec_test", 1_700_000_000, br#"{"id":"x"}"#), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whoever is killed and whenever, each event arrives, or is in the list of what was given up.
    #[test]
    fn no_event_is_lost_when_senders_are_killed(kills in prop::collection::vec(1..40usize, 1..12), bad in any::<[bool; 2]>()) {
        let mut outside = Outside::new(&[("a", &[]), ("b", &[])]);
        for (id, bad) in ["a", "b"].iter().zip(bad) {
            if bad {
                outside.answers.insert(format!("https://{id}/"), Some(503));
            }
        }
        for (n, steps) in kills.iter().enumerate() {
            outside.happen(n as u64, EventKind::StreamLive);
            outside.run(&mut sender(&format!("s{n}")), *steps);
        }
        let schedule = Schedule { pauses_ms: [1000, 2000].to_vec() };
        outside.run(&mut Sender::new("last".into(), schedule), 5000);
        for n in 0..kills.len() as u64 {
            let event = SessionId::new(NOW, n).to_string();
            for id in ["a", "b"] {
                let taken = outside.taken.iter().any(|(url, taken)| *url == format!("https://{id}/") && *taken == event);
                let given_up = outside.undelivered().iter().any(|letter| letter.text_of("webhook") == id && letter.number_of("event") == n);
                prop_assert!(taken || given_up, "event {n} to {id}");
            }
        }
    }
}
