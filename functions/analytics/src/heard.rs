use tidegate_function::{Request, cmcd};
use tidegate_stream::{Path, split_token};

use crate::viewer::{ADDRESS, COUNTRY, EDGE, NETWORK};

/// The path of what was heard in a request for media, with its stream as the query.
pub(crate) const HEARD: &str = "/tidegate-heard";
/// What is counted of a viewer.
const PASSED: [&str; 5] = [ADDRESS, COUNTRY, EDGE, NETWORK, "user-agent"];
/// What workers call sound. A viewer who asks for pictures as well is counted by those.
const SOUND: &str = "audio";

/// What a request says of its player (CMCD, request mode), as something to be counted once the request is answered: for hosts without
/// a place where all requests of a session come by. Media alone counts, by its length, so it does not matter which instance hears it.
#[must_use]
pub fn heard(request: &Request) -> Option<Request> {
    let begins = request.header("range").is_none_or(|range| range.starts_with("bytes=0-"));
    if request.method != "GET" || !begins {
        return None;
    }
    let (Path::Segment { stream, rendition, .. } | Path::Part { stream, rendition, .. }) =
        Path::parse(split_token(&request.path).1.strip_prefix('/')?)?
    else {
        return None;
    };
    let line = cmcd(&request.query, |name| request.header(name)).filter(|_| rendition.as_str() != SOUND)?;
    let headers = request.headers.iter().filter(|(name, _)| PASSED.contains(&name.as_str())).cloned().collect();
    // No viewer's request is without a method.
    Some(Request { path: HEARD.into(), query: stream.as_str().into(), headers, body: line.into_bytes(), ..Request::default() })
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use tidegate_stream::SessionId;

    use super::*;

    #[test]
    fn media_is_heard_and_nothing_else() {
        let get = |path: &str, query: &str| Request { method: "GET".into(), path: path.into(), query: query.into(), ..Request::default() };
        let (said, session) = ("CMCD=br%3D3000%2Cd%3D2000%2Csid%3D%22a%22", SessionId::new(1, 2));
        let request = heard(&get(&format!("/~abc/live/demo/{session}/high/12.3.m4s"), said)).unwrap();
        assert_eq!((request.method.as_str(), request.query.as_str()), ("", "demo"));
        assert_eq!(request.body, br#"br=3000,d=2000,sid="a""#);
        for (path, query) in [
            (format!("/live/demo/{session}/audio/12.m4s"), said),
            (format!("/live/demo/{session}/high.m3u8"), said),
            (format!("/live/demo/{session}/high/12.m4s"), ""),
            (format!("/live/demo/{session}/high/12.m4s"), "CMCD=com.tidegate-events%2Csid%3D%22a%22"),
        ] {
            assert_eq!(heard(&get(&path, query)), None, "{path}?{query}");
        }
        let rest = get(&format!("/live/demo/{session}/high/12.m4s"), said);
        let later = Request { headers: vec![("range".into(), "bytes=100-".into())], ..rest };
        assert_eq!(heard(&later), None, "the rest of what was heard before");
    }
}
