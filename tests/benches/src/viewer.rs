use std::{
    collections::BTreeSet,
    net::SocketAddr,
    time::{Duration, Instant},
};

use tidegate_rig::http::Client;

/// A part as a viewer saw it.
#[derive(Clone, Debug)]
pub struct Part {
    /// In seconds.
    pub duration: f64,
    /// When the answer was there that listed it first.
    pub listed: Instant,
    /// When it had been fetched, right after that.
    pub fetched: Instant,
}

/// What a viewer saw of one rendition, in order and without a hole.
#[derive(Default)]
pub struct View {
    pub parts: Vec<Part>,
}

const START_LIMIT: Duration = Duration::from_secs(20);

/// Follows one media playlist of a stream from its first part to its end, by blocking reloads, and fetches each part as soon as
/// it is listed. `place` counts the playlists: video from the best on, then audio.
pub fn follow(edge: SocketAddr, stream: &str, place: usize) -> View {
    let mut client = Client::new(edge);
    let mut get = |path: &str| {
        let answer = client.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        (answer, Instant::now())
    };
    let path = media_playlist(edge, stream, place);
    let folder = path.rsplit_once('/').unwrap().0;
    let (mut view, mut known) = (View::default(), BTreeSet::new());
    let mut next = (0, 0);
    loop {
        let (answer, listed) = get(&format!("{path}?_HLS_msn={}&_HLS_part={}", next.0, next.1));
        let text = answer.text();
        let parts = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-PART:"));
        for line in parts {
            let attribute = |name: &str| line.split_once(name).map(|(_, rest)| rest.split(['"', ',']).next().unwrap_or_default());
            let (uri, duration) = (attribute("URI=\"").unwrap().to_owned(), attribute("DURATION=").unwrap().parse().unwrap());
            if known.contains(&uri) || line.contains("GAP=YES") {
                continue;
            }
            let (_, fetched) = get(&format!("{folder}/{uri}"));
            view.parts.push(Part { duration, listed, fetched });
            known.insert(uri);
        }
        if text.contains("#EXT-X-ENDLIST") {
            return view;
        }
        next = after(&text);
    }
}

fn media_playlist(edge: SocketAddr, stream: &str, place: usize) -> String {
    let base = format!("/live/{stream}/");
    let (mut client, begun) = (Client::new(edge), Instant::now());
    let text = loop {
        match client.get(&format!("{base}index.m3u8")) {
            Ok(answer) if answer.status == 200 => break answer.text(),
            answer => assert!(begun.elapsed() < START_LIMIT, "the stream does not begin: {answer:?}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let video = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned);
    let audio = text.lines().filter(|line| line.starts_with("#EXT-X-MEDIA:"));
    let audio = audio.filter_map(|line| Some(line.split_once("URI=\"")?.1.split_once('"')?.0.to_owned()));
    let mut all = video.chain(audio);
    format!("{base}{}", all.nth(place).unwrap_or_else(|| panic!("there is no playlist {place} in {text}")))
}

/// The part after the last one that is listed.
fn after(playlist: &str) -> (u64, u32) {
    let first: u64 = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")?.parse().ok()).unwrap_or(0);
    let closed = playlist.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
    let tail = playlist.rsplit("#EXTINF:").next().unwrap_or_default();
    let parts = tail.lines().filter(|line| line.starts_with("#EXT-X-PART:")).count() as u32;
    (first + closed, parts)
}
