//! A bucket in memory, and clients that are driven step by step.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_function::{Answer, Condition, Fetched, Input, Job as _, Output, Request, Stored, World};
use tidegate_stream::{ApiToken, ApiTokens, Json, MetaKey, Scope};

use crate::{Job, State};

pub(super) const NOW: u64 = 1_790_000_000_000;

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, (Vec<u8>, u64)>,
    writes: u64,
    pub(super) state: State,
    pub(super) now_utc_ms: u64,
    /// How old the store says that objects are.
    pub(super) age_ms: Option<u64>,
    random: u64,
    pub(super) steps: u64,
}

pub(super) struct Said {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) json: Json,
}

impl Said {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }
}

impl Bucket {
    pub(super) fn new() -> Self {
        Self { now_utc_ms: NOW, ..Self::default() }
    }

    /// A token with these scopes, as the value of `Authorization`.
    pub(super) fn token(&mut self, scopes: &[Scope]) -> String {
        let key = MetaKey::Tokens.to_string();
        let mut tokens = self.objects.get(&key).and_then(|(bytes, _)| ApiTokens::parse(bytes)).unwrap_or_default();
        let (kept, token) = ApiToken::new(&self.world().random, "test", scopes.to_vec(), NOW, None);
        assert!(tokens.add(kept));
        self.put(&key, tokens.to_bytes());
        format!("Bearer {token}")
    }

    pub(super) fn put(&mut self, key: &str, bytes: Vec<u8>) {
        self.writes += 1;
        self.objects.insert(key.into(), (bytes, self.writes));
    }

    pub(super) fn world(&mut self) -> World {
        self.random += 1;
        let mut random = [0; 32];
        // Every byte takes part: ids are made from some of them.
        for (n, byte) in random.iter_mut().enumerate() {
            *byte = (self.random.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (n % 8 * 8)) as u8 ^ (n as u8).wrapping_mul(31);
        }
        World { now_utc_ms: self.now_utc_ms, random }
    }

    /// Carries out one step of a job; its answer, if that was the last.
    pub(super) fn step(&mut self, job: &mut Job) -> Option<Answer> {
        self.steps += 1;
        let world = self.world();
        let mut state = core::mem::take(&mut self.state);
        let output = job.poll(&mut state, &world);
        let input = match output {
            Output::Answer(answer) => {
                self.state = state;
                return Some(answer);
            }
            Output::Fetch { key, range, .. } => Input::Fetched(match self.objects.get(&key) {
                Some((bytes, etag)) => {
                    let bytes = if range.is_some() { bytes[..1].to_vec() } else { bytes.clone() };
                    Fetched::Got { bytes, etag: Some(format!("\"{etag}\"")), age_ms: self.age_ms }
                }
                None => Fetched::Missing,
            }),
            Output::Store { key, body, condition, .. } => {
                assert!(tidegate_stream::Key::parse(&key).is_some(), "{key} is no key of ours");
                let there = self.objects.get(&key).map(|(_, etag)| format!("\"{etag}\""));
                let holds = match condition {
                    Condition::None => true,
                    Condition::Absent => there.is_none(),
                    Condition::Match(etag) => there == Some(etag),
                };
                if holds {
                    self.put(&key, body);
                }
                Input::Stored(if holds { Stored::Done { etag: None } } else { Stored::Conflict })
            }
            Output::Delete { key } => {
                self.objects.remove(&key);
                Input::Stored(Stored::Done { etag: None })
            }
            Output::Load { url, .. } => panic!("nothing is loaded: {url}"),
        };
        job.handle(&mut state, &world, input);
        self.state = state;
        None
    }

    pub(super) fn run(&mut self, mut job: Job) -> Said {
        for _ in 0..1000 {
            if let Some(answer) = self.step(&mut job) {
                return said(answer);
            }
        }
        panic!("a request does not end");
    }

    pub(super) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Said {
        self.run(Job::new(request(method, path, headers, body)))
    }

    pub(super) fn get(&mut self, path: &str, token: &str) -> Said {
        self.ask("GET", path, &[("authorization", token)], "")
    }

    pub(super) fn post(&mut self, path: &str, token: &str, body: &str) -> Said {
        self.ask("POST", path, &[("authorization", token), ("content-type", "application/json")], body)
    }

    /// Every item of a list, over all of its pages.
    pub(super) fn all(&mut self, path: &str, token: &str) -> Vec<Json> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        let mark = if path.contains('?') { '&' } else { '?' };
        for _ in 0..1000 {
            let page = self.get(&format!("{path}{cursor}"), token);
            assert_eq!(page.status, 200, "{}", page.json);
            items.extend_from_slice(page.json.get("items").unwrap().items());
            match page.json.text_of("next") {
                "" => return items,
                next => cursor = format!("{mark}cursor={next}"),
            }
        }
        panic!("a list does not end");
    }
}

pub(super) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Request { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into(), ..Request::default() }
}

pub(super) fn said(answer: Answer) -> Said {
    let Answer::Respond { status, headers, body } = answer else { panic!("every answer has a body of its own") };
    let headers = headers.into_iter().map(|(name, value)| (name.into(), value.into_owned())).collect();
    let json = if body.is_empty() {
        Json::Null
    } else {
        Json::parse(&body).unwrap_or_else(|_| Json::Text(String::from_utf8(body).expect("text")))
    };
    Said { status, headers, json }
}
