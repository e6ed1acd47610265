#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
//! Reports as requests: what is taken, what is refused, what is written.

use std::collections::BTreeMap;

use tidegate_analytics::{ADDRESS, Job, State, TICK, heard, report_path};
use tidegate_beacon::{Ending, Report};
use tidegate_function::{Answer, Condition, Fetched, HOPS, Input, Job as _, Output, Request, Stored, World};
use tidegate_stream::{Key, SessionId};

const NOW: u64 = 1_790_000_040_000;
const LINE: &str = "br=(3000),e=ps,msd=400,sid=\"a\",sn=0,sta=p,ts=1";

struct Edge {
    objects: BTreeMap<String, Vec<u8>>,
    state: State,
    now: u64,
    /// The store does not answer.
    down: bool,
    reads: usize,
}

impl Edge {
    fn new() -> Self {
        let objects = BTreeMap::from([("live/demo/current".to_owned(), b"{}".to_vec())]);
        Self { objects, state: State::new(), now: NOW, down: false, reads: 0 }
    }

    fn ask(&mut self, request: Request) -> u16 {
        let mut job = Job::new(request);
        for _ in 0..100 {
            let world = World { now_utc_ms: self.now, random: [7; 32] };
            let input = match job.poll(&mut self.state, &world) {
                Output::Answer(Answer::Respond { status, .. }) => return status,
                Output::Fetch { .. } if self.down => Input::Fetched(Fetched::Failed),
                Output::Store { .. } if self.down => Input::Stored(Stored::Failed),
                Output::Fetch { key, .. } => {
                    self.reads += 1;
                    Input::Fetched(self.objects.get(&key).map_or(Fetched::Missing, |bytes| Fetched::Got {
                        bytes: bytes.clone(),
                        etag: None,
                        age_ms: None,
                    }))
                }
                Output::Store { key, body, condition, .. } => {
                    assert!(Key::parse(&key).is_some(), "{key} is no key of ours");
                    Input::Stored(if condition == Condition::Absent && self.objects.contains_key(&key) {
                        Stored::Conflict
                    } else {
                        self.objects.insert(key, body);
                        Stored::Done { etag: None }
                    })
                }
                other => panic!("a report asks for nothing else: {other:?}"),
            };
            job.handle(&mut self.state, &world, input);
        }
        panic!("a request does not end");
    }

    fn tell(&mut self, lines: &str) -> u16 {
        self.ask(post("/live/demo/beacon", lines))
    }

    fn tick(&mut self, query: &str) -> u16 {
        self.ask(Request { path: TICK.into(), query: query.into(), ..Request::default() })
    }

    fn reports(&self) -> Vec<Report> {
        let folder = |key: &str| key.starts_with("analytics/open/") || key.starts_with("analytics/minute/");
        self.objects.iter().filter(|(key, _)| folder(key)).map(|(_, bytes)| Report::decode(bytes).unwrap()).collect()
    }
}

fn post(path: &str, body: &str) -> Request {
    let headers = vec![("content-type".into(), "application/cmcd".into()), (ADDRESS.into(), "203.0.113.9".into())];
    Request { method: "POST".into(), path: path.into(), headers, body: body.into(), ..Request::default() }
}

#[test]
fn a_report_is_counted_and_written_and_the_minute_is_closed() {
    let mut edge = Edge::new();
    assert_eq!(edge.tell(LINE), 204);
    let [open] = edge.reports().try_into().unwrap();
    assert_eq!((open.ending, open.windows[0].1.all.plays, open.windows[0].1.uniques.estimate()), (Ending::Open, 1, 1));
    edge.now += 1000;
    assert_eq!(edge.tell("e=t,sid=\"a\",sn=1,sta=p,ts=1001"), 204);
    assert_eq!(edge.reports(), [open], "it is written every 5 s");
    edge.now += 70_000;
    assert_eq!(edge.tick(""), 204);
    let [closed, _] = edge.reports().try_into().unwrap();
    assert_eq!((closed.ending, closed.minute, closed.windows[0].1.events), (Ending::Closed, NOW / 60_000, 2));
    assert_eq!(edge.reads, 2, "the stream and the salt of the day are read once");
}

#[test]
fn an_instance_that_ends_writes_everything() {
    let mut edge = Edge::new();
    edge.tell(LINE);
    edge.tell("e=t,sid=\"a\",sn=1,sta=p,ts=1001");
    assert_eq!(edge.tick("end"), 204);
    let [closed, _] = edge.reports().try_into().unwrap();
    assert_eq!((closed.ending, closed.windows[0].1.events), (Ending::Closed, 2));
}

#[test]
fn a_store_that_does_not_answer_loses_no_report() {
    let mut edge = Edge::new();
    edge.down = true;
    assert_eq!(edge.tell(LINE), 204);
    edge.now += 61_000;
    edge.tick("");
    edge.down = false;
    edge.now += 20_000;
    edge.tick("");
    let [closed] = edge.reports().try_into().unwrap();
    assert_eq!((closed.minute, closed.windows[0].1.all.plays, closed.windows[0].1.uniques.estimate()), (NOW / 60_000, 1, 0));
}

#[test]
fn the_salt_is_made_once_and_never_leaves_its_object() {
    let mut edge = Edge::new();
    edge.tell(LINE);
    let salt = edge.objects.get(&format!("analytics/salt/{:010}", NOW / 86_400_000)).unwrap().clone();
    assert_eq!(salt, [7; 32]);
    let mut other = Edge::new();
    other.objects.clone_from(&edge.objects);
    other.objects.insert(format!("analytics/salt/{:010}", NOW / 86_400_000), vec![9; 32]);
    other.tell(LINE);
    let both: Vec<_> = [&edge, &other].map(|edge| edge.reports()[0].windows[0].1.uniques.clone()).into();
    assert_ne!(both[0], both[1], "another salt makes another viewer");
    for (key, bytes) in &edge.objects {
        assert!(!bytes.windows(9).any(|text| text == b"203.0.113"), "{key} has an address");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    let mut edge = Edge::new();
    assert_eq!(edge.ask(post("/live/nobody/beacon", LINE)), 404);
    assert_eq!(edge.ask(post("/live/..%2fdemo/beacon", LINE)), 404);
    for (body, status) in [("", 400), ("hello", 400), ("e=t,sta=p", 400), (LINE, 204), (LINE, 204)] {
        assert_eq!(edge.tell(body), status, "{body}");
    }
    assert_eq!(edge.tell(&"x".repeat(70_000)), 413);
    assert_eq!(edge.ask(Request { body: vec![0xff, 0xfe], ..post("/live/demo/beacon", "") }), 400);
    assert_eq!(edge.ask(Request { method: "GET".into(), ..post("/live/demo/beacon", "") }), 405);
    assert_eq!(edge.ask(Request { method: "OPTIONS".into(), ..post("/live/demo/beacon", "") }), 204);
    let headers = vec![("content-type".into(), "application/json".into())];
    assert_eq!(edge.ask(Request { headers, ..post("/live/demo/beacon", LINE) }), 415);
    // One that was made and has never been live is there.
    edge.objects.insert("meta/streams/soon.json".into(), b"{}".to_vec());
    assert_eq!(edge.ask(post("/live/soon/beacon", LINE)), 204);
}

#[test]
fn both_addresses_of_a_stream_are_one() {
    assert_eq!(report_path("/beacon/demo").as_deref(), Some("/live/demo/beacon"));
    assert_eq!(report_path("/live/demo/beacon").as_deref(), Some("/live/demo/beacon"));
    assert!(report_path("/~abc/beacon/demo").unwrap().ends_with("/live/demo/beacon"));
    for no in ["/beacon/", "/beacon/../x", "/live/demo/x/beacon", "/live/demo/beacons", "/api/v1/beacon"] {
        assert_eq!(report_path(no), None, "{no}");
    }
}

#[test]
fn what_a_host_has_heard_in_requests_is_counted_as_such() {
    let mut edge = Edge::new();
    let heard = |line: &str| Request { query: "requests".into(), ..post("/live/demo/beacon", line) };
    let said = r#"br=3000,cid="demo",d=500,sf=h,sid="7a3f1c52",tb=3000"#;
    assert_eq!(edge.ask(heard(said)), 204);
    assert_eq!(edge.tell(said), 400, "as a report it is none");
    assert_eq!(edge.ask(heard("br=3000")), 400, "without a session");
    // The same session tells an event; what it says in requests is nothing new from then on.
    edge.now += 1000;
    assert_eq!(edge.tell(r#"e=t,sid="7a3f1c52",sn=0,sta=p,ts=1001"#), 204);
    edge.now += 10_000;
    assert_eq!(edge.ask(heard(said)), 204);
    edge.now += 60_000;
    edge.tick("end");
    let report = edge.reports().into_iter().find(|report| report.ending == Ending::Closed).unwrap();
    let window = &report.windows[0].1;
    assert_eq!((window.all.attempts, window.all.plays, window.events), (1, 1, 2));
}

#[test]
fn what_a_host_has_measured_of_records_is_in_the_windows_and_no_viewer_can_say_it() {
    let mut edge = Edge::new();
    let session = SessionId::new(NOW, 1);
    let line = |hop: &str, us: u32| format!("{hop} live/demo/{session}/log/0000000012 {us}\n");
    let lines = line("visible", 3000) + &line("edge", 1500) + "edge meta/tokens.json 7\nedge\nelse x 1\n" + &line("edge", 1500);
    let told = Request { path: HOPS.into(), body: lines.clone().into_bytes(), ..Request::default() };
    assert_eq!(edge.ask(told), 204);
    edge.tick("end");
    let reports = edge.reports();
    let window = &reports[0].windows[0].1;
    assert_eq!((window.visible_us.count(), window.edge_us.count(), window.events), (1, 2, 0));
    assert_eq!(edge.ask(post(HOPS, &lines)), 404);
    assert_eq!(edge.ask(post("/tidegate-heard", LINE)), 404);
}

#[test]
fn media_that_somebody_asks_for_is_counted_on_hosts_that_share_nothing() {
    let mut edge = Edge::new();
    let (session, line) = (SessionId::new(NOW, 1), "CMCD=br%3D3000%2Cd%3D2000%2Csid%3D%22a%22");
    let path = format!("/live/demo/{session}/high/12.m4s");
    for n in 0..30 {
        edge.now = NOW + n * 2000;
        let asked = Request { method: "GET".into(), path: path.clone(), query: line.into(), ..Request::default() };
        let heard = heard(&asked).unwrap();
        assert_eq!(edge.ask(heard), 204);
    }
    edge.tick("end");
    let played: u64 =
        edge.reports().iter().filter(|report| report.ending == Ending::Closed).map(|report| report.windows[0].1.all.played_ms).sum();
    assert_eq!(played, 60_000);
}
