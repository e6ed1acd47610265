use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};

use tidegate_function::{Answer, Fetched, Header, Input, Job as _, Loaded, Output, Request, World};

use crate::{BadDocument, Document, Job, State};

/// What an origin answers to a URL.
type Reply = (String, Loaded);

/// A bucket with one document, an origin, and an edge between them.
struct Edge {
    document: Option<String>,
    replies: Vec<Reply>,
    loads: Vec<(String, Vec<(String, String)>)>,
    state: State,
    now_ms: u64,
}

struct Seen {
    status: u16,
    headers: Vec<Header>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

fn got(status: u16, headers: &[(&str, &str)], body: &str) -> Loaded {
    let headers = headers.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    Loaded::Got { status, headers, body: body.as_bytes().to_vec() }
}

impl Edge {
    fn new(document: &str, replies: Vec<(&str, Loaded)>) -> Self {
        let replies = replies.into_iter().map(|(url, reply)| (url.to_string(), reply)).collect();
        Self { document: Some(document.into()), replies, loads: Vec::new(), state: State::default(), now_ms: 1_790_000_000_000 }
    }

    fn ask(&mut self, path: &str) -> Seen {
        self.ask_as(path, &[])
    }

    fn ask_as(&mut self, path: &str, headers: &[(&str, &str)]) -> Seen {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers = headers.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        let request = Request { method: "GET".into(), path: path.into(), query: query.into(), headers, ..Request::default() };
        let mut job = Job::new(request);
        let world = World { now_utc_ms: self.now_ms, random: [128; 32] };
        for _ in 0..20 {
            match job.poll(&mut self.state, &world) {
                Output::Answer(Answer::Respond { status, headers, body }) => {
                    return Seen { status, headers, body: String::from_utf8(body).unwrap() };
                }
                Output::Fetch { key, .. } => {
                    assert_eq!(key, "meta/origins/films.json");
                    let document = self.document.clone().map(String::into_bytes);
                    let fetched = document.map_or(Fetched::Missing, |bytes| Fetched::Got { bytes, etag: None, age_ms: None });
                    job.handle(&mut self.state, &world, Input::Fetched(fetched));
                }
                Output::Load { url, headers, max_bytes, timeout_ms } => {
                    assert!(max_bytes <= 8 << 20 && timeout_ms <= 10_000);
                    let reply = self.replies.iter().find(|(known, _)| *known == url).map_or(Loaded::Failed, |(_, reply)| reply.clone());
                    self.loads.push((url, headers));
                    job.handle(&mut self.state, &world, Input::Loaded(reply));
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("no answer");
    }
}

const PLAIN: &str = r#"{"base":"https://o.example/live/"}"#;
const URL: &str = "https://o.example/live/a/index.m3u8";
const MULTIVARIANT: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\nlow.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1920x1080\nhttps://o.example/live/b/high.m3u8\n";
const MEDIA: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n1.ts\n";

#[test]
fn addresses_lead_to_the_origin_if_nothing_else_is_said() {
    let mut edge = Edge::new(PLAIN, vec![(URL, got(200, &[], MULTIVARIANT))]);
    let seen = edge.ask("/origin/films/a/index.m3u8");
    assert_eq!(
        (seen.status, seen.header("content-type"), seen.header("cache-control")),
        (200, "application/vnd.apple.mpegurl", "public, max-age=1")
    );
    assert_eq!(seen.body, MULTIVARIANT.replace("\nlow", "\nhttps://o.example/live/a/low"));
}

#[test]
fn playlists_at_the_edge_stay_relative_and_carry_the_token() {
    let document =
        r#"{"base":"https://o.example/live/","playlists":"edge","media":{"to":"https://cdn.example/~{token}/"},"media_query":"t={token}"}"#;
    let mut edge = Edge::new(
        document,
        vec![(URL, got(200, &[("cache-control", "max-age=7")], MULTIVARIANT)), ("https://o.example/live/a/low.m3u8", got(200, &[], MEDIA))],
    );
    let viewer = [("viewer-prefix", "/~tok"), ("viewer-token", "tok")];
    let seen = edge.ask_as("/origin/films/a/index.m3u8", &viewer);
    assert_eq!(seen.body, MULTIVARIANT.replace("https://o.example/live/", "/~tok/origin/films/"));
    assert_eq!(seen.header("cache-control"), "private, max-age=7");
    let seen = edge.ask_as("/origin/films/a/low.m3u8", &viewer);
    assert_eq!(seen.body, MEDIA.replace("1.ts", "https://cdn.example/~tok/a/1.ts?t=tok"));
}

#[test]
fn an_origin_is_asked_once_within_the_life_of_its_playlist() {
    let mut edge = Edge::new(PLAIN, vec![(URL, got(200, &[("cache-control", "public, max-age=2")], MULTIVARIANT))]);
    edge.ask("/origin/films/a/index.m3u8");
    edge.now_ms += 1999;
    edge.ask("/origin/films/a/index.m3u8");
    assert_eq!(edge.loads.len(), 1);
    edge.now_ms += 1;
    edge.ask("/origin/films/a/index.m3u8");
    assert_eq!(edge.loads.len(), 2);
    let mut edge = Edge::new(PLAIN, vec![(URL, got(200, &[("cache-control", "no-store")], MULTIVARIANT))]);
    edge.ask("/origin/films/a/index.m3u8");
    edge.ask("/origin/films/a/index.m3u8");
    assert_eq!(edge.loads.len(), 2);
}

#[test]
fn what_no_document_allows_is_not_fetched() {
    let mut edge = Edge::new(PLAIN, Vec::new());
    for path in ["/origin/films/../x", "/origin/films/a/%2e%2e/%2e%2e/x", "/origin/films/a\\b"] {
        assert_eq!(edge.ask(path).status, 403, "{path}");
    }
    assert_eq!(edge.ask("/origin/Films/x").status, 404);
    edge.document = None;
    edge.now_ms += 10_000;
    assert_eq!(edge.ask("/origin/films/x").status, 404);
    edge.document = Some("{".into());
    edge.now_ms += 10_000;
    assert_eq!(edge.ask("/origin/films/x").status, 503);
    assert!(edge.loads.is_empty());
}

#[test]
fn private_addresses_need_a_word_of_the_owner() {
    for base in
        ["http://127.0.0.1/", "http://169.254.169.254/", "http://[::1]:9000/", "http://minio:9000/", "http://0x7f.1/", "http://2130706433/"]
    {
        let document = format!(r#"{{"base":"{base}"}}"#);
        assert_eq!(Document::parse(document.as_bytes()), Err(BadDocument::Private("base")), "{base}");
        let document = format!(r#"{{"base":"{base}","private":true}}"#);
        assert!(Document::parse(document.as_bytes()).is_ok());
    }
}

#[test]
fn redirects_are_followed_within_bounds() {
    let document = r#"{"base":"https://o.example/live/","redirects":["https://p.example/"],"headers":[["authorization","secret"]]}"#;
    let to = |location: &str| got(302, &[("location", location)], "");
    let mut edge = Edge::new(document, vec![(URL, to("https://p.example/x/y.m3u8")), ("https://p.example/x/y.m3u8", got(200, &[], MEDIA))]);
    let seen = edge.ask("/origin/films/a/index.m3u8");
    assert_eq!(seen.body, MEDIA.replace("1.ts", "https://p.example/x/1.ts"));
    assert_eq!(edge.loads[0].1.len(), 1);
    assert!(edge.loads[1].1.is_empty(), "the secret is for the origin alone");
    let mut edge = Edge::new(document, vec![(URL, to("index.m3u8"))]);
    assert_eq!(edge.ask("/origin/films/a/index.m3u8").status, 502);
    assert_eq!(edge.loads.len(), 5);
    for location in ["http://127.0.0.1/", "https://evil.example/", "/elsewhere", "ftp://o.example/live/"] {
        let mut edge = Edge::new(document, vec![(URL, to(location))]);
        assert_eq!((edge.ask("/origin/films/a/index.m3u8").status, edge.loads.len()), (502, 1), "{location}");
    }
}

#[test]
fn an_origin_that_fails_has_a_clear_answer() {
    for (reply, status, why) in [
        (Loaded::TooLarge, 502, "more than a playlist can be"),
        (Loaded::Failed, 504, "does not answer"),
        (Loaded::Denied, 403, "does not reach"),
        (got(404, &[], ""), 404, "no such playlist"),
        (got(503, &[], ""), 503, "busy"),
        (got(500, &[], ""), 502, "answers with 500"),
        (got(302, &[], ""), 502, "not allowed"),
        (got(200, &[], "<html><body>secret"), 502, "no playlist"),
        (got(200, &[], ""), 502, "no playlist"),
        (got(200, &[], "\u{1f}\u{8b}"), 502, "no playlist"),
    ] {
        let mut edge = Edge::new(PLAIN, vec![(URL, reply)]);
        let seen = edge.ask("/origin/films/a/index.m3u8");
        assert_eq!(seen.status, status);
        assert!(seen.body.contains(why) && !seen.body.contains("secret"), "{}", seen.body);
    }
}

#[test]
fn viewers_narrow_but_never_widen() {
    let document = r#"{"base":"https://o.example/live/","viewers_choose":true,"rules":{"filter":{"max_height":720}}}"#;
    let replies = || vec![(URL, got(200, &[], MULTIVARIANT)), ("https://o.example/live/a/index.m3u8?x=1", got(200, &[], MULTIVARIANT))];
    let mut edge = Edge::new(document, replies());
    assert!(!edge.ask("/origin/films/a/index.m3u8?tidegate.max_height=2000&x=1").body.contains("high"));
    assert_eq!(edge.loads[0].0, "https://o.example/live/a/index.m3u8?x=1");
    assert_eq!(edge.ask("/origin/films/a/index.m3u8?tidegate.max_height=100").status, 404);
    assert_eq!(edge.ask("/origin/films/a/index.m3u8?tidegate.max_height=x").status, 400);
    assert_eq!(edge.ask("/origin/films/a/index.m3u8?tidegate.other=1").status, 400);
    let mut edge = Edge::new(PLAIN, replies());
    assert_eq!(edge.ask("/origin/films/a/index.m3u8?tidegate.max_height=100").status, 400);
}

#[test]
fn viewers_are_steered() {
    let document = r#"{"base":"https://o.example/live/","steering":{"ttl_s":60,"pathways":[{"id":"a","base":"https://a.example/v/","weight":1},{"id":"b","base":"https://b.example/v/","weight":1}]}}"#;
    let mpd = "<MPD>\n<Period/></MPD>";
    let mut edge = Edge::new(document, vec![(URL, got(200, &[], MULTIVARIANT)), ("https://o.example/live/x.mpd", got(200, &[], mpd))]);
    let viewer = [("viewer-prefix", "/~tok"), ("viewer-token", "tok")];
    let seen = edge.ask_as("/origin/films/a/index.m3u8", &viewer);
    assert!(seen.body.contains("#EXT-X-CONTENT-STEERING:SERVER-URI=\"/~tok/steer/films\",PATHWAY-ID=\"a\"\n"), "{}", seen.body);
    assert!(
        seen.body.contains("PATHWAY-ID=\"a\"\nhttps://a.example/v/a/low.m3u8\n") && seen.body.contains("https://a.example/v/b/high.m3u8")
    );
    let seen = edge.ask("/origin/films/x.mpd");
    assert_eq!(seen.header("content-type"), "application/dash+xml");
    assert!(seen.body.contains("<BaseURL serviceLocation=\"b\">https://b.example/v/</BaseURL>"), "{}", seen.body);
    let seen = edge.ask_as("/steer/films?_HLS_pathway=a", &viewer);
    assert_eq!(
        seen.body,
        r#"{"VERSION":1,"TTL":60,"RELOAD-URI":"/~tok/steer/films?tidegate.drawn=50","PATHWAY-PRIORITY":["b","a"],"PATHWAY-CLONES":[{"BASE-ID":"a","ID":"b","URI-REPLACEMENT":{"HOST":"b.example"}}]}"#
    );
    let seen = edge.ask("/steer/films?_DASH_pathway=a&tidegate.drawn=3");
    assert_eq!(seen.body, r#"{"VERSION":1,"TTL":60,"RELOAD-URI":"/steer/films?tidegate.drawn=3","PATHWAY-PRIORITY":["a","b"]}"#);
    let mut edge = Edge::new(PLAIN, Vec::new());
    assert_eq!(edge.ask("/steer/films").status, 404);
}

#[test]
fn documents_that_cannot_be_meant_are_refused() {
    let refused = |fields: &str| Document::parse(format!(r#"{{"base":"https://o.example/"{fields}}}"#).as_bytes()).unwrap_err();
    assert_eq!(Document::parse(br#"{"base":"https://o.example/x"}"#), Err(BadDocument::Base("base")));
    assert_eq!(Document::parse(br#"{"base":"https://u:p@o.example/"}"#), Err(BadDocument::Base("base")));
    assert!(matches!(refused(r#","bases":1"#), BadDocument::Json(_)));
    assert_eq!(refused(r#","media":"edge""#), BadDocument::MediaAtEdge);
    assert_eq!(refused(r#","headers":[["a b","c"]]"#), BadDocument::Header);
    assert_eq!(refused(r#","steering":{"pathways":[]}"#), BadDocument::Steering);
    assert_eq!(refused(r#","redirects":["http://10.0.0.1/"]"#), BadDocument::Private("a redirect"));
    assert!(Document::parse(br#"{"base":"https://o.example/","playback":{"access":"signed"}}"#).is_ok());
}
