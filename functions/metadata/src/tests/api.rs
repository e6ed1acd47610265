use alloc::{format, string::ToString as _, vec, vec::Vec};

use proptest::prelude::*;
use tidegate_stream::{Json, KeyHash, MetaKey, PublishToken, Scope, SessionId};

use super::world::{Bucket, NOW, request, said};
use crate::{Job, openapi};

fn bucket() -> (Bucket, alloc::string::String) {
    let mut bucket = Bucket::new();
    let token = bucket.token(&Scope::ALL);
    (bucket, token)
}

#[test]
fn stream_is_made_read_changed_and_deleted() {
    let (mut bucket, token) = bucket();
    let made = bucket.post("/api/v1/streams", &token, r#"{"id":"demo","title":"<b>Tide</b>","tags":["sea"]}"#);
    assert_eq!((made.status, made.header("location"), made.header("etag")), (201, "/api/v1/streams/demo", "\"r1\""), "{}", made.json);
    let read = bucket.get("/api/v1/streams/demo", &token);
    assert_eq!(read.json, made.json, "what is made is what is read");
    assert_eq!((read.json.text_of("title"), read.json.text_of("visibility")), ("<b>Tide</b>", "public"));
    let headers = |etag| [("authorization", token.clone()), ("content-type", "application/merge-patch+json".into()), ("if-match", etag)];
    let patch = |bucket: &mut Bucket, etag: &str, body: &str| {
        let headers = headers(etag.to_string());
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        bucket.ask("PATCH", "/api/v1/streams/demo", &headers, body)
    };
    let patched = patch(&mut bucket, "\"r1\"", r#"{"description":"two\nlines","tags":null}"#);
    assert_eq!((patched.status, patched.header("etag")), (200, "\"r2\""), "{}", patched.json);
    assert_eq!((patched.json.text_of("title"), patched.json.get("tags")), ("<b>Tide</b>", Some(&Json::List(vec![]))));
    assert_eq!(patch(&mut bucket, "\"r1\"", r#"{"title":"late"}"#).status, 412);
    assert_eq!(patch(&mut bucket, "W/\"r2\"", r#"{"title":"weak"}"#).status, 412);
    let unnamed = bucket.ask("PATCH", "/api/v1/streams/demo", &[("authorization", &token), ("content-type", "application/json")], "{}");
    assert_eq!(unnamed.status, 428);
    let unchanged = bucket.ask("GET", "/api/v1/streams/demo", &[("authorization", &token), ("if-none-match", "\"r2\"")], "");
    assert_eq!(unchanged.status, 304);
    assert_eq!(bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#).status, 409);
    let key = bucket.post("/api/v1/streams/demo/keys", &token, "{}");
    let gone = bucket.ask("DELETE", "/api/v1/streams/demo", &[("authorization", &token), ("if-match", "\"r2\"")], "");
    assert_eq!(gone.status, 204);
    assert_eq!(bucket.get("/api/v1/streams/demo", &token).status, 404);
    assert_eq!(bucket.all("/api/v1/streams", &token), []);
    let key = MetaKey::StreamKey { hash: KeyHash::of(key.json.text_of("key")) };
    assert!(!bucket.objects.contains_key(&key.to_string()), "no key opens a stream that is gone");
    let again = bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#);
    assert_eq!((again.status, again.header("etag")), (201, "\"r4\""), "no ETag comes back");
    assert_eq!(bucket.all("/api/v1/streams", &token).len(), 1);
}

#[test]
fn put_replaces_everything() {
    let (mut bucket, token) = bucket();
    bucket.post("/api/v1/streams", &token, r#"{"id":"demo","title":"old","category":"sport"}"#);
    let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("if-match", "\"r1\"")];
    let put = bucket.ask("PUT", "/api/v1/streams/demo", &headers, r#"{"title":"new"}"#);
    assert_eq!((put.status, put.json.text_of("title"), put.json.text_of("category")), (200, "new", ""));
    assert_eq!(bucket.all("/api/v1/streams?q=NEW", &token).len(), 1);
    assert_eq!(bucket.all("/api/v1/streams?q=old", &token).len(), 0);
}

#[test]
fn bad_documents_are_refused_field_by_field() {
    let (mut bucket, token) = bucket();
    let long = format!(r#"{{"title":"{}"}}"#, "x".repeat(201));
    let many = format!(r#"{{"tags":[{}]}}"#, vec!["\"a\""; 21].join(","));
    for (body, status) in [
        ("", 400),
        ("[]", 422),
        ("{\"title\":1.5}", 400),
        ("{\"a\":1,\"a\":2}", 400),
        (r#"{"titel":"x"}"#, 422),
        (r#"{"title":7}"#, 422),
        (r#"{"title":"a\u0000b"}"#, 422),
        (r#"{"title":"a\u202eb"}"#, 422),
        (r#"{"tags":"x"}"#, 422),
        (r#"{"tags":["a,b"]}"#, 422),
        (r#"{"language":"x"}"#, 422),
        (r#"{"visibility":"secret"}"#, 422),
        (r#"{"poster":"javascript:alert(1)"}"#, 422),
        (r#"{"poster":"https://user@host/"}"#, 422),
        (r#"{"poster":"https://host/\"><script>"}"#, 422),
        (r#"{"dvr_window_s":1e3}"#, 400),
        (r#"{"dvr_window_s":-1}"#, 422),
        (r#"{"scheduled_start":"tomorrow"}"#, 422),
        (r#"{"playback":{"acces":"public"}}"#, 422),
        (r#"{"ladder":[{"name":"low","height":1}]}"#, 422),
        (r#"{"id":"../x"}"#, 422),
        (r#"{"id":"a/b"}"#, 422),
        (&long, 422),
        (&many, 422),
    ] {
        let said = bucket.post("/api/v1/streams", &token, body);
        assert_eq!(said.status, status, "{body}: {}", said.json);
        assert_eq!(said.header("content-type"), "application/problem+json");
        assert_eq!(status == 422, !said.json.get("errors").map_or(&[][..], Json::items).is_empty(), "{body}");
    }
    assert!(bucket.all("/api/v1/streams", &token).is_empty());
    let plain = bucket.ask("POST", "/api/v1/streams", &[("authorization", &token), ("content-type", "text/plain")], "{}");
    assert_eq!(plain.status, 415);
}

#[test]
fn nobody_gets_in_without_the_right_token() {
    let (mut bucket, _) = bucket();
    let reader = bucket.token(&[Scope::StreamsRead]);
    assert_eq!(bucket.get("/api/v1/streams", &reader).status, 200);
    assert_eq!(bucket.post("/api/v1/streams", &reader, "{}").status, 403);
    for wrong in ["", "Bearer", "Bearer x", "Bearer tga_x_y", &reader.to_uppercase(), &format!("{reader}0")] {
        let said = bucket.get("/api/v1/streams", wrong);
        assert_eq!((said.status, said.header("www-authenticate")), (401, "Bearer"), "{wrong}");
    }
    assert_eq!(bucket.ask("GET", "/api/v1/streams", &[], "").status, 401);
    // Every route but those for everybody wants a token.
    let paths = openapi().get("paths").unwrap().members().to_vec();
    for (path, methods) in &paths {
        for (method, _) in methods.members() {
            let status = bucket.ask(&method.to_uppercase(), &path.replace(['{', '}'], ""), &[], "").status;
            let open = ["/api/v1/openapi.json", "/live/{stream}/info.json", "/api/v1/streams/{stream}/viewers"].contains(&path.as_str());
            assert_eq!(status == 401, !open, "{method} {path}: {status}");
        }
    }
}

#[test]
fn strange_addresses_are_nobodys() {
    let (mut bucket, token) = bucket();
    for path in ["/api", "/api/v1", "/api/v1/", "/api/v1/streams/", "/api/v1/streams//keys", "/api/v1/streams/a/b/c/d", "/api/v2/streams"] {
        assert_eq!(bucket.get(path, &token).status, 404, "{path}");
    }
    for path in ["/api/v1/streams/..", "/api/v1/streams/%2e%2e", "/api/v1/streams/A", "/api/v1/streams/a%2fb/keys", "/live/../info.json"] {
        assert_eq!(bucket.get(path, &token).status, 404, "{path}");
    }
    let wrong = bucket.ask("DELETE", "/api/v1/streams", &[("authorization", &token)], "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET, POST, OPTIONS"));
    assert_eq!(bucket.ask("OPTIONS", "/api/v1/streams", &[], "").status, 204);
    for query in
        ["?x=1", "?limit=0", "?limit=1000", "?limit=+5", "?cursor=x", "?limit=1&limit=2", "?q=%ff", "?live=yes", "?cursor=99999999999"]
    {
        assert_eq!(bucket.get(&format!("/api/v1/streams{query}"), &token).status, 400, "{query}");
    }
}

#[test]
fn lists_have_pages_and_filters() {
    let (mut bucket, token) = bucket();
    for n in 0..540 {
        bucket.now_utc_ms += 1;
        let tag = if n % 100 == 0 { r#","tags":["Hundred"]"# } else { "" };
        let made = bucket.post("/api/v1/streams", &token, &format!(r#"{{"id":"s{n}","title":"Stream {n}"{tag}}}"#));
        assert_eq!(made.status, 201);
    }
    let ids = |items: Vec<Json>| items.iter().map(|item| item.text_of("id").to_string()).collect::<Vec<_>>();
    let all = ids(bucket.all("/api/v1/streams?limit=100", &token));
    let newest_first: Vec<_> = (0..540).rev().map(|n| format!("s{n}")).collect();
    assert_eq!(all, newest_first);
    assert_eq!(ids(bucket.all("/api/v1/streams?limit=7", &token)), newest_first);
    assert_eq!(ids(bucket.all("/api/v1/streams?tag=hundred", &token)).len(), 6);
    assert_eq!(ids(bucket.all("/api/v1/streams?q=stream+53&limit=3", &token)).len(), 11);
    assert_eq!(bucket.all("/api/v1/streams?live=true", &token), []);
    bucket.steps = 0;
    bucket.get("/api/v1/streams?limit=50", &token);
    assert!(bucket.steps <= 6, "{} steps for a page", bucket.steps);
}

#[test]
fn post_with_the_same_idempotency_key_makes_one_thing() {
    let (mut bucket, token) = bucket();
    let post = |bucket: &mut Bucket, path: &str, key: &str, body: &str| {
        let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("idempotency-key", key)];
        bucket.ask("POST", path, &headers, body)
    };
    let first = post(&mut bucket, "/api/v1/streams", "k1", r#"{"title":"one"}"#);
    let second = post(&mut bucket, "/api/v1/streams", "k1", r#"{"title":"one"}"#);
    assert_eq!((first.status, &first.json), (201, &second.json));
    assert_eq!(bucket.all("/api/v1/streams", &token).len(), 1);
    assert_eq!(post(&mut bucket, "/api/v1/streams", "k1", r#"{"title":"two"}"#).status, 422);
    assert_eq!(post(&mut bucket, "/api/v1/streams", "k2", r#"{"title":"one"}"#).status, 201);
    let id = first.json.text_of("id");
    let path = format!("/api/v1/streams/{id}/keys");
    let (a, b) = (post(&mut bucket, &path, "k1", "{}"), post(&mut bucket, &path, "k1", "{}"));
    assert_eq!((a.status, a.json), (201, b.json), "even the secret is the same");
    assert_eq!(bucket.get(&path, &token).json.get("items").unwrap().items().len(), 1);
}

#[test]
fn keys_are_shown_once_rotated_and_revoked() {
    let (mut bucket, token) = bucket();
    bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#);
    let path = "/api/v1/streams/demo/keys";
    let opens = |bucket: &Bucket, key: &str| bucket.objects.contains_key(&MetaKey::StreamKey { hash: KeyHash::of(key) }.to_string());
    let made = bucket.post(path, &token, r#"{"name":"OBS","expires":"2026-12-01T00:00:00Z"}"#);
    let (id, key) = (made.json.text_of("id").to_string(), made.json.text_of("key").to_string());
    assert!(key.len() == 32 && opens(&bucket, &key));
    let listed = bucket.get(path, &token).json;
    assert!(!listed.to_string().contains(&key) && !listed.to_string().contains("hash"), "{listed}");
    let rotated = bucket.post(&format!("{path}/{id}/rotate"), &token, "");
    assert_eq!(rotated.json.text_of("expires"), "2026-12-01T00:00:00.000Z");
    let newer = rotated.json.text_of("key").to_string();
    assert!(newer != key && opens(&bucket, &newer) && !opens(&bucket, &key));
    assert_eq!(bucket.ask("DELETE", &format!("{path}/{id}"), &[("authorization", &token)], "").status, 204);
    assert!(!opens(&bucket, &newer));
    assert_eq!(bucket.ask("DELETE", &format!("{path}/{id}"), &[("authorization", &token)], "").status, 404);
    for _ in 0..32 {
        assert_eq!(bucket.post(path, &token, "{}").status, 201);
    }
    assert_eq!(bucket.post(path, &token, "{}").status, 409);
    let everything: Vec<u8> = bucket.objects.values().flat_map(|(bytes, _)| bytes.clone()).collect();
    let everything = alloc::string::String::from_utf8_lossy(&everything).into_owned();
    assert!(!everything.contains(&newer) && !everything.contains(token.split_once(' ').unwrap().1), "no secret is in the bucket");
}

#[test]
fn publish_tokens_are_signed_with_one_secret() {
    let (mut bucket, token) = bucket();
    bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#);
    let sign = |bucket: &mut Bucket| {
        bucket.post("/api/v1/streams/demo/publish-tokens", &token, r#"{"expires_in_s":60}"#).json.text_of("token").to_string()
    };
    let (a, b) = (sign(&mut bucket), sign(&mut bucket));
    assert_eq!(a, b);
    let secret = bucket.objects.get("meta/publish-secret").unwrap().0.clone();
    assert!(PublishToken::verify(&a, &secret, NOW + 59_999).is_some() && PublishToken::verify(&a, &secret, NOW + 60_000).is_none());
}

#[test]
fn tokens_webhooks_playback_ids_and_audit() {
    let (mut bucket, token) = bucket();
    let made = bucket.post("/api/v1/tokens", &token, r#"{"name":"ci","scopes":["streams:write","streams:write"]}"#);
    let ci = format!("Bearer {}", made.json.text_of("token"));
    assert_eq!(bucket.post("/api/v1/streams", &ci, r#"{"id":"demo"}"#).status, 201);
    assert_eq!(bucket.get("/api/v1/tokens", &ci).status, 403);
    let id = made.json.text_of("id").to_string();
    assert_eq!(bucket.ask("DELETE", &format!("/api/v1/tokens/{id}"), &[("authorization", &token)], "").status, 204);
    assert_eq!(bucket.post("/api/v1/streams", &ci, "{}").status, 401);

    let hook = bucket.post("/api/v1/webhooks", &token, r#"{"url":"https://example.org/hook","events":["stream.live"]}"#);
    assert!(hook.json.text_of("secret").starts_with("whsec_"));
    let listed = bucket.get("/api/v1/webhooks", &token).json;
    assert!(!listed.to_string().contains("secret"), "{listed}");
    let path = format!("/api/v1/webhooks/{}", hook.json.text_of("id"));
    assert_eq!(bucket.post(&format!("{path}/test"), &token, "").status, 202);
    assert_eq!(bucket.ask("DELETE", &path, &[("authorization", &token)], "").status, 204);
    assert_eq!(bucket.post(&format!("{path}/test"), &token, "").status, 404);
    let events: Vec<_> = bucket.objects.iter().filter(|(key, _)| key.starts_with("meta/events/")).collect();
    let kinds: Vec<_> = events.iter().map(|(_, (bytes, _))| Json::parse(bytes).unwrap().text_of("type").to_string()).collect();
    assert_eq!(kinds, ["stream.created", "webhook.test"]);

    let playback = bucket.post("/api/v1/streams/demo/playback-ids", &token, r#"{"access":"token"}"#);
    let pid = playback.json.text_of("id").to_string();
    assert_eq!(bucket.get(&format!("/api/v1/playback-ids/{pid}"), &token).json.text_of("stream"), "demo");
    assert_eq!(bucket.ask("DELETE", &format!("/api/v1/streams/demo/playback-ids/{pid}"), &[("authorization", &token)], "").status, 204);
    assert_eq!(bucket.get(&format!("/api/v1/playback-ids/{pid}"), &token).status, 404);

    let audit = bucket.all("/api/v1/audit?limit=2", &token);
    let actions: Vec<_> = audit.iter().map(|entry| entry.text_of("action")).collect();
    let expected =
        ["playback_id.withdraw", "playback_id.create", "webhook.remove", "webhook.create", "token.revoke", "stream.create", "token.create"];
    assert_eq!(actions, expected);
    assert_eq!(audit[5].text_of("actor"), id, "who it was");
}

#[test]
fn cues_need_a_live_session() {
    let (mut bucket, token) = bucket();
    bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#);
    assert_eq!(bucket.post("/api/v1/streams/demo/cues", &token, r#"{"text":"goal"}"#).status, 409);
    let session = SessionId::new(NOW - 10_000, 1);
    bucket.put("live/demo/current", format!(r#"{{"session":"{session}"}}"#).into_bytes());
    let live = tidegate_stream::Session {
        stream: tidegate_stream::StreamId::parse("demo").unwrap(),
        id: session.clone(),
        target_duration_s: 2,
        dvr_window_s: 60,
        renditions: vec![],
    };
    bucket.put(&format!("live/demo/{session}/head"), tidegate_stream::Timeline::new(live).snapshot().encode());
    bucket.now_utc_ms = NOW - 8000;
    for number in 0..5 {
        let made = bucket.post("/api/v1/streams/demo/cues", &token, r#"{"text":"goal"}"#);
        assert_eq!((made.status, made.json.number_of("number")), (201, number), "{}", made.json);
    }
    assert!(bucket.objects.contains_key(&format!("meta/cues/demo/{session}/0000000004.json")));
    let states = [(NOW - 8000, "live", "healthy"), (NOW, "live", "starving"), (NOW + 100_000, "idle", "")];
    for (now, state, health) in states {
        bucket.now_utc_ms = now;
        let live = bucket.get("/api/v1/streams/demo/live", &token).json;
        assert_eq!((live.text_of("state"), live.text_of("health")), (state, health), "{live}");
        let info = bucket.ask("GET", "/live/demo/info.json", &[], "");
        assert_eq!((info.status, info.json.get("live") == Some(&Json::Flag(state == "live"))), (200, true));
        assert_eq!(info.header("cache-control"), "public, max-age=2");
    }
    // A worker whose clock is minutes behind or ahead is live while the store says that it writes, and over when it says that it does not.
    let by_the_store = [
        (NOW + 600_000, 1000, "live", "healthy"),
        (NOW + 600_000, 10_000, "live", "starving"),
        (NOW - 300_000, 100_000, "idle", ""),
        (NOW - 8000, 100_000, "idle", ""),
        (NOW + 2_000_000, 1000, "idle", ""),
    ];
    for (now, age_ms, state, health) in by_the_store {
        (bucket.now_utc_ms, bucket.age_ms) = (now, Some(age_ms));
        let live = bucket.get("/api/v1/streams/demo/live", &token).json;
        assert_eq!((live.text_of("state"), live.text_of("health")), (state, health), "{now} {age_ms}: {live}");
    }
}

#[test]
fn private_stream_is_hidden_from_viewers() {
    let (mut bucket, token) = bucket();
    bucket.post("/api/v1/streams", &token, r#"{"id":"demo","visibility":"private"}"#);
    assert_eq!(bucket.ask("GET", "/live/demo/info.json", &[], "").status, 404);
    assert_eq!(bucket.ask("GET", "/live/nothing/info.json", &[], "").status, 404);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_request_is_answered_below_500(
        method in "GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|X",
        route in 0..40usize,
        place in "[a-z0-9.%/_-]{0,12}",
        query in "[a-z=&%0-9+.]{0,30}",
        body in ".{0,60}|\\{\"title\":\"[^\"]{0,9}\"\\}|\\{\\}",
        etag in "\"r1\"|\\*|.{0,5}",
    ) {
        let mut bucket = Bucket::new();
        let token = bucket.token(&Scope::ALL);
        bucket.post("/api/v1/streams", &token, r#"{"id":"demo"}"#);
        let paths = openapi().get("paths").unwrap().members().to_vec();
        let path = &paths[route % paths.len()].0;
        let path = path.replace("{stream}", if route % 2 == 0 { "demo" } else { &place });
        let path = path.replace("{key}", &place).replace("{id}", &place).replace("{token}", &place).replace("{session}", &place);
        let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("if-match", etag.as_str())];
        let mut request = request(&method, &path, &headers, &body);
        request.query = query;
        let mut job = Job::new(request);
        let answer = loop {
            if let Some(answer) = bucket.step(&mut job) { break answer; }
        };
        let tidegate_function::Answer::Respond { status, .. } = &answer else { panic!() };
        prop_assert!(*status < 500, "{method} {path}: {status}");
        if method != "HEAD" {
            said(answer);
        }
    }
}

#[test]
fn description_has_every_route_and_is_the_file() {
    let described: serde_json::Value = serde_json::from_slice(&openapi().to_bytes()).unwrap();
    assert_eq!(described["openapi"], "3.1.0");
    let file: serde_json::Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    assert_eq!(file, described, "write it again: cargo run -p tidegate-metadata --example openapi > functions/metadata/openapi.json");
}
