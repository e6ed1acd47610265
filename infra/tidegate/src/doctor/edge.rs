//! What viewers get at an address: its name, its certificate, other sites' scripts, and whether a cache answers for the edges.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tidegate_hls::uri::resolve;
use tidegate_validate::{Answer, Failure, Method, Probe, ProbeId};
use tokio::time::sleep;

use super::{
    finding::{Finding, now_ms},
    tokens,
};
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
    let mut places = Vec::new();
    for url in urls {
        findings.push(name(url).await);
        findings.extend(tokens::in_address(url, now_ms()));
        let answer = get(&client, url).await;
        findings.push(answered(url, &answer));
        let Some(playlist) = answer.as_ref().ok().filter(|answer| is_playlist(answer)) else { continue };
        findings.push(open_to_scripts(url, playlist));
        match first_media(url, &String::from_utf8_lossy(&playlist.body)) {
            Some(media) => places.push(media),
            None => findings.push(Finding::skipped("edge.cache", format!("{url} names no media playlist"))),
        }
    }
    findings.extend(held_and_kept(&client, &places).await);
    Ok(findings)
}

pub(crate) async fn get(client: &Client, url: &str) -> Result<Answer, Failure> {
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

/// A blocking request of LL-HLS, for a part that is not there yet: every place is asked at once, and a moment later again. Whether a cache answers
/// the second time, and whether all give the same.
async fn held_and_kept(client: &Client, places: &[String]) -> Vec<Finding> {
    let check = "edge.cache";
    let Some(first) = places.first() else { return Vec::new() };
    let Ok(Answer { status: 200, body, .. }) = get(client, first).await else {
        return vec![Finding::failed(check, format!("{first} cannot be read"), "look into the log of the edge")];
    };
    let text = String::from_utf8_lossy(&body);
    let Some((msn, part)) = next_part(&text).filter(|_| text.contains("CAN-BLOCK-RELOAD=YES")) else {
        return vec![Finding::skipped(check, format!("{first} has no blocking reload: live playlists change by the clock alone"))];
    };
    let named = |media: &String| format!("{media}{}_HLS_msn={msn}&_HLS_part={part}", if media.contains('?') { '&' } else { '?' });
    let asked: Vec<String> = places.iter().map(named).collect();
    let begun = Instant::now();
    let held = join_all(asked.iter().map(|url| get(client, url))).await;
    let held_ms = begun.elapsed().as_millis();
    sleep(AGES).await;
    let again = join_all(asked.iter().map(|url| get(client, url))).await;
    let mut findings: Vec<_> =
        places.iter().zip(held.iter().zip(&again)).map(|(place, (held, again))| judge_cache(place, held_ms, held, again)).collect();
    let bodies: Vec<_> =
        asked.iter().zip(&held).filter_map(|(url, held)| Some((url.as_str(), held.as_ref().ok()?.body.as_slice()))).collect();
    if let [first, others @ ..] = bodies.as_slice()
        && !others.is_empty()
    {
        findings.extend(others.iter().map(|other| same(*first, *other)));
    }
    findings
}

fn judge_cache(place: &str, held_ms: u128, held: &Result<Answer, Failure>, again: &Result<Answer, Failure>) -> Finding {
    let check = "edge.cache";
    let status = |answer: &Result<Answer, Failure>| answer.as_ref().map_or_else(|failure| format!("{failure:?}"), |a| a.status.to_string());
    let (Ok(held @ Answer { status: 200, .. }), Ok(again @ Answer { status: 200, .. })) = (held, again) else {
        let seen = format!("{place}: a blocking request is answered {} and then {}", status(held), status(again));
        return Finding::failed(check, seen, "a proxy may end what takes a second: let it wait 45 s; and see edge.answer");
    };
    if held.body != again.body {
        let seen = format!("{place}: a blocking request is answered from the origin each time, and not the same");
        return Finding::warned(check, seen, DIRECTIVES_IN_KEY);
    }
    match of_a_cache(again) {
        Some(how) => Finding::fine(
            check,
            format!("{place}: a blocking request, held for {held_ms} ms, is answered by a cache the second time ({how})"),
        ),
        None => Finding::warned(
            check,
            format!("{place}: a blocking request goes to the origin for each viewer: the second answer has no Age"),
            DIRECTIVES_IN_KEY,
        ),
    }
}

/// How an answer says that it was kept: `Age`, or the word of a CDN.
fn of_a_cache(answer: &Answer) -> Option<String> {
    if let Some(age) = answer.header("age").filter(|age| age.trim().parse::<u64>().is_ok_and(|age| age > 0)) {
        return Some(format!("Age: {age}"));
    }
    let words = ["x-cache", "cf-cache-status", "cache-status"];
    words.iter().find_map(|name| {
        let said = answer.header(name).filter(|said| said.to_ascii_lowercase().contains("hit"))?;
        Some(format!("{name}: {said}"))
    })
}

fn same((first, one): (&str, &[u8]), (second, other): (&str, &[u8])) -> Finding {
    let check = "edge.same";
    // The session and the rendition; what stands before may be a token.
    let state = |url: &str| url.rsplitn(3, '/').take(2).map(str::to_owned).collect::<Vec<_>>();
    if state(first) != state(second) {
        return Finding::skipped(check, format!("{first} and {second} are not the same playlist of one session"));
    }
    if one == other {
        Finding::fine(check, format!("{second} gives the same bytes as the first for one state"))
    } else {
        let seen = format!("{second} gives other bytes than the first for one state");
        Finding::failed(check, seen, "let both read the same bucket, with one version of the functions")
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

/// The part after the next: a request for it is held, for no longer than two parts.
fn next_part(text: &str) -> Option<(u64, u64)> {
    let first: u64 =
        text.lines().find_map(|line| line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:")).map_or(Some(0), |number| number.parse().ok())?;
    let whole = text.lines().filter(|line| line.starts_with("#EXTINF:")).count() as u64;
    let open = text.lines().rev().take_while(|line| !line.starts_with("#EXTINF:")).filter(|line| line.starts_with("#EXT-X-PART:")).count();
    Some((first.checked_add(whole)?, open as u64 + 1))
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
        let judge = |first, second| judge_cache("https://a/", 400, &Ok(first), &Ok(second)).outcome;
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[("age", "1")])), Outcome::Fine);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[("x-cache", "Hit from cloudfront")])), Outcome::Fine);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[("age", "0"), ("x-cache", "Miss from cloudfront")])), Outcome::Warned);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "a", &[])), Outcome::Warned);
        assert_eq!(judge(answer(200, "a", &[]), answer(200, "b", &[("age", "1")])), Outcome::Warned);
        assert_eq!(judge(answer(200, "a", &[]), answer(504, "", &[])), Outcome::Failed);
        let lost = judge_cache("https://a/", 400, &Ok(answer(200, "a", &[])), &Err(Failure::Timeout));
        assert_eq!(lost.outcome, Outcome::Failed);
        let (one, other) = (("https://a/s/x.m3u8?_HLS_msn=4", &b"a"[..]), ("https://b/~t/s/x.m3u8?_HLS_msn=4", &b"b"[..]));
        assert_eq!((same(one, (other.0, one.1)).outcome, same(one, other).outcome), (Outcome::Fine, Outcome::Failed));
        assert_eq!(same(one, ("https://b/other/x.m3u8?_HLS_msn=4", &b"b"[..])).outcome, Outcome::Skipped);
    }

    #[test]
    fn a_part_that_is_not_there_yet_is_named() {
        let multivariant = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"x/audio.m3u8\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx/low.m3u8\n";
        assert_eq!(first_media("https://a/live/s/index.m3u8", multivariant).as_deref(), Some("https://a/live/s/x/low.m3u8"));
        let media = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2,\n7.m4s\n#EXTINF:2,\n8.m4s\n#EXT-X-PART:DURATION=0.5,URI=\"9.0.m4s\"\n";
        assert_eq!(next_part(media), Some((9, 2)));
        assert_eq!(next_part(&media[..media.rfind("#EXT-X-PART").unwrap()]), Some((9, 1)));
        assert_eq!(next_part("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:x\n"), None);
    }

    #[test]
    fn an_address_has_a_host_and_a_port() {
        assert_eq!(authority("https://live.example/live/x"), Some(("live.example".into(), 443)));
        assert_eq!(authority("http://[::1]:8080/live/x"), Some(("::1".into(), 8080)));
        assert_eq!(authority("ftp://live.example/"), None);
    }
}
