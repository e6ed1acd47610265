//! What viewers get at an address: its name, its certificate, other sites' scripts, and whether a cache answers for the edges.

use std::time::{Duration, Instant};

use tidegate_hls::uri::resolve;
use tidegate_validate::{Answer, Failure, Method, Probe, ProbeId};
use tokio::time::sleep;

use super::finding::Finding;
use crate::validate::client::Client;

const ANSWER: Duration = Duration::from_secs(15);
/// `Age` has whole seconds.
const AGES: Duration = Duration::from_millis(1200);
/// What to do about a cache that does not help.
const DIRECTIVES_IN_KEY: &str =
    "the cache has to follow Cache-Control of the edges and to have _HLS_msn, _HLS_part and _HLS_skip in its key";

/// Two addresses are two edges, or a CDN and the edge behind it: they have to give the same bytes.
pub(crate) async fn examine(urls: &[String]) -> anyhow::Result<Vec<Finding>> {
    let client = Client::new(false)?;
    let mut findings = Vec::new();
    let mut states = Vec::new();
    for url in urls {
        findings.push(name(url).await);
        let answer = get(&client, url).await;
        findings.push(answered(url, &answer));
        let Some(playlist) = answer.as_ref().ok().filter(|answer| is_playlist(answer)) else { continue };
        findings.push(open_to_scripts(url, playlist));
        let Some(media) = first_media(url, &String::from_utf8_lossy(&playlist.body)) else {
            findings.push(Finding::skipped("edge.cache", format!("{url} names no media playlist")));
            continue;
        };
        let (finding, state) = cached(&client, &media).await;
        findings.push(finding);
        states.extend(state);
    }
    if let [first, second, ..] = states.as_slice() {
        findings.push(same(first, second));
    }
    Ok(findings)
}

async fn get(client: &Client, url: &str) -> Result<Answer, Failure> {
    let timeout_us = u64::try_from(ANSWER.as_micros()).unwrap_or(u64::MAX);
    let probe = Probe { id: ProbeId(0), url: url.to_owned(), method: Method::Get, gzip: true, range: None, http2: false, timeout_us };
    client.make(probe, Instant::now()).await.result
}

fn is_playlist(answer: &Answer) -> bool {
    answer.status == 200 && answer.body.starts_with(b"#EXTM3U")
}

async fn name(url: &str) -> Finding {
    let check = "edge.dns";
    let Some((host, port)) = authority(url) else {
        return Finding::failed(check, format!("`{url}` is no http:// or https:// address"), "name the playlist as viewers ask for it");
    };
    match tokio::net::lookup_host((host.as_str(), port)).await.map(Iterator::count) {
        Ok(addresses @ 1..) => Finding::fine(check, format!("{host} has {addresses} addresses")),
        Ok(_) => Finding::failed(check, format!("{host} has no address"), "add a record to its zone"),
        Err(error) => Finding::failed(check, format!("{host} has no address: {error}"), "add a record to its zone, or correct the name"),
    }
}

fn authority(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let port = match uri.scheme_str()? {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    Some((uri.host()?.trim_start_matches('[').trim_end_matches(']').to_owned(), uri.port_u16().unwrap_or(port)))
}

fn answered(url: &str, answer: &Result<Answer, Failure>) -> Finding {
    let check = "edge.answer";
    let failed = |seen: String, advice: &str| Finding::failed(check, seen, advice);
    match answer {
        Ok(answer) if is_playlist(answer) => {
            let encrypted = if url.starts_with("https:") { " with a certificate that is good" } else { "" };
            let version = if answer.http2 { "HTTP/2" } else { "HTTP/1.1" };
            let seen = format!("{url} is a playlist, over {version}{encrypted}");
            if encrypted.is_empty() {
                Finding::warned(check, seen, "pages on https:// cannot play it: use TLS")
            } else {
                Finding::fine(check, seen)
            }
        }
        Ok(answer) if matches!(answer.status, 401 | 403) => {
            failed(format!("{url} wants a token ({})", answer.status), "make an address with one: tidegate token mint STREAM --at ADDRESS")
        }
        Ok(answer) if answer.status == 200 => failed(format!("{url} is no playlist"), "something else answers there: correct the address"),
        Ok(answer) => failed(format!("{url} is answered {}", answer.status), "publish something, and look into the log of the edge"),
        Err(Failure::Connection(why)) if why.contains("certificate") => {
            failed(format!("the certificate of {url} is refused: {why}"), "renew it, or name the host that it is for")
        }
        Err(Failure::Connection(why)) => {
            failed(format!("{url} cannot be reached: {why}"), "is it running, and does a firewall let through?")
        }
        Err(Failure::Timeout) => failed(format!("{url} does not answer within {} s", ANSWER.as_secs()), "look into the log of the edge"),
        Err(Failure::TooLong) => failed(format!("{url} is too long for a playlist"), "something else answers there: correct the address"),
    }
}

fn open_to_scripts(url: &str, answer: &Answer) -> Finding {
    match answer.header("access-control-allow-origin") {
        Some(_) => Finding::fine("edge.cors", "pages on other sites may read it"),
        None => Finding::failed(
            "edge.cors",
            format!("{url} comes without Access-Control-Allow-Origin"),
            "the CDN takes it away: let it pass headers of its origin, or set it there",
        ),
    }
}

/// Whether a request of LL-HLS that names a state is answered by a cache the second time.
async fn cached(client: &Client, media: &str) -> (Finding, Option<(String, Vec<u8>)>) {
    let check = "edge.cache";
    let not_read = || Finding::failed(check, format!("{media} cannot be read"), "look into the log of the edge");
    let Ok(Answer { status: 200, body, .. }) = get(client, media).await else { return (not_read(), None) };
    let text = String::from_utf8_lossy(&body);
    let blocks = text.contains("CAN-BLOCK-RELOAD=YES");
    let Some(msn) = last_msn(&text).filter(|_| blocks) else {
        return (Finding::skipped(check, format!("{media} has no blocking reload: live playlists change by the clock alone")), None);
    };
    let named = format!("{media}{}_HLS_msn={msn}", if media.contains('?') { '&' } else { '?' });
    let Ok(first) = get(client, &named).await else { return (not_read(), None) };
    sleep(AGES).await;
    let Ok(second) = get(client, &named).await else { return (not_read(), None) };
    (judge_cache(check, &first, &second), Some((named, first.body)))
}

fn judge_cache(check: &'static str, first: &Answer, second: &Answer) -> Finding {
    if first.status != 200 || second.status != 200 {
        return Finding::failed(check, format!("a blocking request is answered {} and {}", first.status, second.status), "see edge.answer");
    }
    if first.body != second.body {
        return Finding::warned(
            check,
            "a request that names a state is answered from the origin each time, and not the same",
            DIRECTIVES_IN_KEY,
        );
    }
    match second.header("age") {
        Some(age) => Finding::fine(check, format!("a request that names a state is answered by a cache the second time (Age: {age})")),
        None => Finding::warned(
            check,
            "a request that names a state goes to the origin for each viewer: the second answer has no Age",
            DIRECTIVES_IN_KEY,
        ),
    }
}

fn same((first, one): &(String, Vec<u8>), (second, other): &(String, Vec<u8>)) -> Finding {
    let check = "edge.same";
    let state = |url: &str| url.rsplit_once('/').map(|(_, file)| file.to_owned());
    if state(first) != state(second) {
        return Finding::skipped(check, "the stream went on between the two: ask again");
    }
    if one == other {
        Finding::fine(check, "both give the same bytes for one state")
    } else {
        Finding::failed(check, "they give other bytes for one state", "let both read the same bucket, with one version of the functions")
    }
}

/// The first media playlist of a multivariant one; a media playlist is its own.
fn first_media(url: &str, text: &str) -> Option<String> {
    if text.contains("#EXTINF:") || text.contains("#EXT-X-PART:") {
        return Some(url.to_owned());
    }
    let mut lines = text.lines().skip_while(|line| !line.starts_with("#EXT-X-STREAM-INF:")).skip(1);
    lines.find(|line| !line.starts_with('#') && !line.is_empty()).map(|uri| resolve(url, uri))
}

/// The number of the last whole segment.
fn last_msn(text: &str) -> Option<u64> {
    let first: u64 =
        text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).map_or(Some(0), |number| number.parse().ok())?;
    let whole = text.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
    first.checked_add(whole.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Outcome;

    fn answer(status: u16, body: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Answer { status, headers, body: body.into(), ..Answer::default() }
    }

    #[test]
    fn what_viewers_get_is_told_apart() {
        let outcome = |url, answer: Result<Answer, Failure>| answered(url, &answer).outcome;
        let playlist = || Ok(answer(200, "#EXTM3U\n", &[]));
        assert_eq!(outcome("https://live.example/a.m3u8", playlist()), Outcome::Fine);
        assert_eq!(outcome("http://live.example/a.m3u8", playlist()), Outcome::Warned);
        assert_eq!(outcome("https://live.example/a.m3u8", Ok(answer(200, "<html>", &[]))), Outcome::Failed);
        let token = answered("https://live.example/a.m3u8", &Ok(answer(401, "", &[])));
        assert!(token.advice.contains("tidegate token mint"), "{token:?}");
        let expired = answered("https://live.example/a.m3u8", &Err(Failure::Connection("invalid peer certificate: Expired".into())));
        assert!(expired.advice.starts_with("renew it"), "{expired:?}");
        assert_eq!(open_to_scripts("u", &answer(200, "", &[])).outcome, Outcome::Failed);
    }

    #[test]
    fn a_cache_that_answers_is_known_by_its_age() {
        let judge = |first, second| judge_cache("edge.cache", &first, &second).outcome;
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[("age", "1")])), Outcome::Fine);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[])), Outcome::Warned);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "b", &[("age", "1")])), Outcome::Warned);
        assert_eq!(judge(answer(200, "a", &[]), answer(504, "", &[])), Outcome::Failed);
        let (one, other) = (("https://a/x.m3u8?_HLS_msn=4".into(), b"a".to_vec()), ("https://b/x.m3u8?_HLS_msn=4".into(), b"b".to_vec()));
        assert_eq!((same(&one, &one).outcome, same(&one, &other).outcome), (Outcome::Fine, Outcome::Failed));
    }

    #[test]
    fn a_state_that_is_over_is_named() {
        let multivariant = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"x/audio.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx/low.m3u8\n";
        assert_eq!(first_media("https://a/live/s/index.m3u8", multivariant).as_deref(), Some("https://a/live/s/x/low.m3u8"));
        let media = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\n7.m4s\n#EXTINF:2,\n8.m4s\n#EXT-X-PART:DURATION=0.5,URI=\"9.0.m4s\"\n";
        assert_eq!((last_msn(media), last_msn("#EXTM3U\n")), (Some(8), None));
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert_eq!(authority("https://live.example/live/x"), Some(("live.example".into(), 443)));
        assert_eq!(authority("http://[::1]:8080/live/x"), Some(("::1".into(), 8080)));
        assert_eq!(authority("ftp://live.example/"), None);
    }
}
