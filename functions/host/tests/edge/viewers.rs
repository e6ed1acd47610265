//! Who may watch, and playlists of other origins: the real component behind the host.
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use tidegate_token::{Claims, Key, Match, MatchKind, Token, UriPart};

use tidegate_rig::IMMUTABLE;

use crate::{
    foreign::{answer, origin},
    setup::{Edge, functions},
};

const INIT: &str = "live/demo/0123456789abcdefghjk/init/high/0123456789abcdef.mp4";

fn key() -> Key {
    Key::new("test", vec![7; 32]).unwrap()
}

fn token(stream: &str, life_s: i64) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = Claims {
        expires_s: Some(now_s.saturating_add_signed(life_s)),
        id: Some(vec![1]),
        uri: vec![Match { part: UriPart::Path, kind: MatchKind::Prefix, text: format!("/live/{stream}/") }],
        ..Claims::default()
    };
    Token::seal(&claims, &key())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_a_byte_of_a_private_stream_without_its_token() {
    let Some(component) = functions() else { return };
    let edge = Edge::start_with(|config| config.component = component).await;
    edge.store.put(INIT, "the media", IMMUTABLE);
    edge.store.put("meta/streams/demo.json", r#"{"id":"demo","playback":{"access":"private"}}"#, "no-cache");
    let keys = format!(r#"{{"keys":[{{"id":"test","secret":"{}"}}]}}"#, key().secret_text());
    edge.store.put("meta/playback-keys.json", keys, "no-cache");
    for (path, status, why) in [
        (format!("/{INIT}"), 401, "needs a playback token"),
        (format!("/~{}/{INIT}", token("demo", -1)), 401, "expired"),
        (format!("/~{}/{INIT}", token("other", 60)), 403, "another address"),
        (format!("/~{}x/{INIT}", token("demo", 60)), 401, "not a Common Access Token"),
    ] {
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let seen = edge.send(method.clone(), &path, &[]).await;
            assert_eq!((seen.status.as_u16(), seen.header("cache-control")), (status, "no-store"), "{path}");
            assert!(method == Method::HEAD || seen.text().contains(why), "{}", seen.text());
        }
    }
    assert!(edge.store.requests(INIT).is_empty(), "nobody asked the bucket for it");
    let good = token("demo", 600);
    for (path, headers) in [
        (format!("/~{good}/{INIT}"), vec![]),
        (format!("/{INIT}"), vec![("authorization", format!("Bearer {good}"))]),
        (format!("/{INIT}"), vec![("cookie", format!("cta-common-access-token={good}"))]),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let seen = edge.send(Method::GET, &path, &headers).await;
        assert_eq!((seen.status.as_u16(), seen.text()), (200, "the media"));
        assert!(seen.header("cache-control").starts_with("private, max-age="), "{}", seen.header("cache-control"));
    }
    assert_eq!(edge.get(&format!("/{INIT}")).await.status, 401, "what one viewer got is not kept for another");
    let first = edge.get(&format!("/live/demo/index.m3u8?token={good}")).await;
    assert_eq!((first.status.as_u16(), first.header("location")), (302, format!("/~{good}/live/demo/index.m3u8").as_str()));
    edge.stopped().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_playlist_of_another_origin_is_rewritten_on_its_way() {
    let Some(component) = functions() else { return };
    let text = "#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\r\nlow.m3u8\r\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=1920x1080\r\nhigh.m3u8\r\n";
    let other = origin(answer("200 OK", text.as_bytes())).await;
    let document = format!(r#"{{"base":"http://{other}/","private":true,"rules":{{"filter":{{"max_height":720}}}}}}"#);
    let allowed = other.clone();
    let edge = Edge::start_with(|config| (config.component, config.private_origins) = (component.clone(), vec![allowed])).await;
    edge.store.put("meta/origins/films.json", document.clone(), "no-cache");
    let seen = edge.get("/origin/films/a/index.m3u8").await;
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, "application/vnd.apple.mpegurl"));
    assert_eq!(seen.text(), format!("#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=640x360\r\nhttp://{other}/a/low.m3u8\r\n"));
    assert_eq!(edge.get("/origin/else/a/index.m3u8").await.status, 404);
    edge.stopped().await;

    // The document alone does not open the host's own network.
    let edge = Edge::start_with(|config| config.component = component).await;
    edge.store.put("meta/origins/films.json", document, "no-cache");
    assert_eq!(edge.get("/origin/films/a/index.m3u8").await.status, 403);
    edge.stopped().await;
}
