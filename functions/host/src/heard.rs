//! What players say of themselves in requests for something else (CMCD, request mode): now and then a line of it goes the way of reports,
//! so that players count that report nothing. What it means is not known here.

use std::{
    borrow::Cow,
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Mutex,
    time::{Duration, Instant},
};

use http::HeaderMap;
use tidegate_function::{cmcd, without_cmcd};

use crate::objects::lock;

/// The sessions that were heard of, and when something of them was handed over.
pub(crate) struct Heard {
    sessions: Mutex<HashMap<u64, Instant>>,
    hash: RandomState,
}

/// How often something is handed over of one session. It counts as watching for 35 s from then on.
const EVERY: Duration = Duration::from_secs(10);
/// Sessions that are told apart at one time.
const SESSIONS_MAX: usize = 50_000;

impl Heard {
    pub(crate) fn new() -> Self {
        Self { sessions: Mutex::default(), hash: RandomState::new() }
    }

    /// The address of a report and its line, where a request says something that is to be counted.
    pub(crate) fn listen(&self, path: &str, headers: &HeaderMap, now: Instant) -> Option<(String, String)> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let line = cmcd(query, |name| headers.get(name)?.to_str().ok())?;
        let session = line.split(',').find_map(|key| key.strip_prefix("sid="))?;
        let folder = stream_folder(path)?;
        let report = format!("{folder}beacon?requests");
        // Whether it has begun to play is news.
        let starts = line.split(',').any(|key| key == "su");
        let place = self.hash.hash_one((folder, session, starts));
        let mut sessions = lock(&self.sessions);
        if sessions.len() >= SESSIONS_MAX {
            sessions.retain(|_, at| now.saturating_duration_since(*at) < EVERY);
        }
        let is_due = match sessions.get(&place) {
            Some(at) => now.saturating_duration_since(*at) >= EVERY,
            None => sessions.len() < SESSIONS_MAX,
        };
        is_due.then(|| {
            sessions.insert(place, now);
            (report, line)
        })
    }
}

/// An address without what its player says of itself, where it says something: what is the same for all stays the same address.
pub(crate) fn without(path: &str) -> Option<String> {
    let (path, query) = path.split_once('?')?;
    match without_cmcd(query) {
        Cow::Borrowed(_) => None,
        Cow::Owned(rest) if rest.is_empty() => Some(path.to_owned()),
        Cow::Owned(rest) => Some(format!("{path}?{rest}")),
    }
}

/// Of an address below a stream the part up to the stream, a token in front of it included.
fn stream_folder(path: &str) -> Option<&str> {
    let token = if path.starts_with("/~") { path.get(1..)?.find('/')? + 1 } else { 0 };
    let rest = path.get(token..)?.strip_prefix("/live/")?;
    let stream = rest.find('/').filter(|len| *len > 0)?;
    path.get(..token + "/live/".len() + stream + 1)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// As hls.js 1.7.4 writes it, with `cmcd: { contentId: "demo" }`: while it starts, while it plays, and as version 2.
    const STARTS: &str = "/live/demo/s/video/12.3.m4s?CMCD=br%3D3000%2Ccid%3D%22demo%22%2Cd%3D500%2Cmtp%3D12300%2Crtp%3D15000%2Csf%3Dh%2Csid%3D%227a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d%22%2Csu%2Ctb%3D3000";
    const PLAYS: &str = "/live/demo/s/video/12.4.m4s?x=1&CMCD=br%3D3000%2Ccid%3D%22demo%22%2Cd%3D500%2Cmtp%3D12300%2Crtp%3D15000%2Csf%3Dh%2Csid%3D%227a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d%22%2Ctb%3D3000";
    const VERSION_2: &str = "/live/demo/index.m3u8?CMCD=cid%3D%22demo%22%2Cmtp%3D%2812300%29%2Cot%3Dm%2Csf%3Dh%2Csid%3D%227a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d%22%2Csn%3D0%2Csta%3Dp%2Csu%2Cv%3D2";

    #[test]
    fn session_is_handed_over_every_ten_seconds_and_when_it_begins_to_play() {
        let (heard, none, now) = (Heard::new(), HeaderMap::new(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        let (report, line) = heard.listen(STARTS, &none, now).unwrap();
        assert_eq!(report, "/live/demo/beacon?requests");
        let said = r#"br=3000,cid="demo",d=500,mtp=12300,rtp=15000,sf=h,sid="7a3f1c52-0b8e-4f7e-9c86-1d2f3a4b5c6d",su,tb=3000"#;
        assert_eq!(line, said);
        assert_eq!(heard.listen(STARTS, &none, after(9)), None);
        assert!(heard.listen(PLAYS, &none, after(1)).is_some());
        assert_eq!(heard.listen(PLAYS, &none, after(10)), None);
        assert!(heard.listen(PLAYS, &none, after(11)).is_some());
        let token = format!("/~abc{PLAYS}");
        assert_eq!(heard.listen(&token, &none, now).unwrap().0, "/~abc/live/demo/beacon?requests");
        assert!(heard.listen(VERSION_2, &none, after(30)).is_some());
    }

    #[test]
    fn headers_are_as_good_as_addresses() {
        let mut headers = HeaderMap::new();
        headers.insert("cmcd-session", HeaderValue::from_static(r#"cid="demo",sf=h,sid="7a3f1c52""#));
        headers.insert("cmcd-object", HeaderValue::from_static("br=3000,d=500,tb=3000"));
        let (_, line) = Heard::new().listen("/live/demo/index.m3u8", &headers, Instant::now()).unwrap();
        assert_eq!(line, r#"br=3000,d=500,tb=3000,cid="demo",sf=h,sid="7a3f1c52""#);
    }

    #[test]
    fn what_says_nothing_of_a_session_is_not_handed_over() {
        let (heard, none, now) = (Heard::new(), HeaderMap::new(), Instant::now());
        let long = format!("/live/demo/index.m3u8?CMCD=sid%3D%22{}%22", "a".repeat(3000));
        for path in [
            "/live/demo/index.m3u8",
            "/live/demo/index.m3u8?CMCD=br%3D3000",
            "/live/demo/index.m3u8?CMCD=%zz",
            "/live/demo/index.m3u8?CMCD=%ff%fe",
            "/live//index.m3u8?CMCD=sid%3D%22a%22",
            "/origin/x/index.m3u8?CMCD=sid%3D%22a%22",
            "/~?CMCD=sid%3D%22a%22",
            "/live/demo/index.m3u8?CMCD=com.tidegate-events%2Csid%3D%22a%22",
            "/live/demo/index.m3u8?CMCD=sid%3D%22a%22%0ae%3Dt",
            &long,
        ] {
            assert_eq!(heard.listen(path, &none, now), None, "{path}");
        }
    }

    #[test]
    fn addresses_are_the_same_for_all_without_what_players_say() {
        assert_eq!(without(PLAYS).as_deref(), Some("/live/demo/s/video/12.4.m4s?x=1"));
        assert_eq!(without("/a?CMCD=x&_HLS_msn=1").as_deref(), Some("/a?_HLS_msn=1"));
        assert_eq!(without("/a?CMCD=x").as_deref(), Some("/a"));
        assert_eq!(without("/a?_HLS_msn=1"), None);
    }
}
