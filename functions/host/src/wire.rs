//! The headers in which host and component talk: `tidegate-wait`, `tidegate-send` and `tidegate-load`.
use std::time::Duration;

use http::HeaderMap;

use crate::{objects::ObjectKey, range::number};

/// The version of these words. A host takes no component of another one, so that both may change.
pub(crate) const VERSION: u32 = 1;
/// Tells the component that this host parks and sends for it, in which version of the words.
pub(crate) const HOST: &str = "tidegate-host";
/// Tells the host which version the component speaks, in the answer to `GET` of [`GREETING`].
const FUNCTIONS: &str = "tidegate-functions";
/// The address that no viewer's request has.
pub(crate) const GREETING: &str = "/tidegate-functions";
/// The address at which the component takes what players have reported; no viewer's request has it.
pub(crate) const REPORTS: &str = "/tidegate-reports";
/// What begins like this is between host and component.
pub(crate) const OWN: &str = "/tidegate-";
/// Tells the component how its wait ended.
pub(crate) const WAITED: &str = "tidegate-waited";
/// With an object: how long ago the store has written it, in ms, by the store's own clock.
pub(crate) const AGE: &str = "tidegate-age-ms";
/// The host, with its port, that the viewer asked; with a request that is one viewer's own.
pub(crate) const VIEWER_HOST: &str = "tidegate-viewer-host";
/// `http` or `https`.
pub(crate) const VIEWER_SCHEME: &str = "tidegate-viewer-scheme";
/// Where the viewer is, where something before the host knows it.
pub(crate) const VIEWER_COUNTRY: &str = "tidegate-viewer-country";
const WAIT: &str = "tidegate-wait";
const SEND: &str = "tidegate-send";
/// The limits that the component sets for something that is not ours.
const LOAD: &str = "tidegate-load";

/// Pieces of one answer. A segment that is cut out of the records of its parts needs one for each part.
const PIECES: usize = 256;

/// Ask again when `key` exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wait {
    pub(crate) key: ObjectKey,
    /// In how long the key is expected.
    pub(crate) expect: Duration,
    pub(crate) timeout: Duration,
}

/// Bytes of an object: all, or `first..=last`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) key: ObjectKey,
    pub(crate) range: Option<(u64, u64)>,
}

/// How much to read of something that is not ours, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Load {
    pub(crate) max_bytes: Option<usize>,
    pub(crate) timeout: Option<Duration>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the component wrote a bad tidegate-wait header")]
    Wait,
    #[error("the component wrote a bad tidegate-send header")]
    Send,
    #[error("the component asked for more than {PIECES} pieces")]
    TooManyPieces,
}

/// The version that a component says it speaks.
pub(crate) fn spoken(headers: &HeaderMap) -> Option<u32> {
    headers.get(FUNCTIONS).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// The wait that an answer asks for, if it does.
pub(crate) fn wait(headers: &HeaderMap) -> Result<Option<Wait>, WireError> {
    let Some(value) = headers.get(WAIT) else { return Ok(None) };
    let fields = Fields::parse(value.to_str().map_err(|_| WireError::Wait)?).ok_or(WireError::Wait)?;
    let key = fields.key.ok_or(WireError::Wait)?;
    let timeout = Duration::from_millis(fields.timeout_ms.ok_or(WireError::Wait)?);
    Ok(Some(Wait { key, expect: Duration::from_millis(fields.expect_ms.unwrap_or(0)), timeout }))
}

/// The pieces that make up an answer's body, in order; none if the answer has a body of its own.
pub(crate) fn pieces(headers: &HeaderMap) -> Result<Vec<Piece>, WireError> {
    let mut pieces = Vec::new();
    for value in headers.get_all(SEND) {
        for text in value.to_str().map_err(|_| WireError::Send)?.split(',') {
            let fields = Fields::parse(text).ok_or(WireError::Send)?;
            if pieces.len() == PIECES {
                return Err(WireError::TooManyPieces);
            }
            pieces.push(Piece { key: fields.key.ok_or(WireError::Send)?, range: fields.range });
        }
    }
    Ok(pieces)
}

/// The limits of a load; those that are not named, or do not read, are the host's.
pub(crate) fn load(headers: &HeaderMap) -> Load {
    let fields = headers.get(LOAD).and_then(|value| Fields::parse(value.to_str().ok()?)).unwrap_or_default();
    Load {
        max_bytes: fields.max_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        timeout: fields.timeout_ms.map(Duration::from_millis),
    }
}

/// Takes out of `headers` what is between host and component, and what belongs to the connection.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let ours: Vec<_> = headers.keys().filter(|name| name.as_str().starts_with("tidegate-")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection", "content-length"] {
        headers.remove(name);
    }
}

#[derive(Default)]
struct Fields {
    key: Option<ObjectKey>,
    range: Option<(u64, u64)>,
    expect_ms: Option<u64>,
    timeout_ms: Option<u64>,
    max_bytes: Option<u64>,
}

impl Fields {
    /// Reads `name=value; name=value`; names that are not known are left for later versions.
    fn parse(text: &str) -> Option<Self> {
        let mut fields = Self::default();
        for field in text.split(';') {
            let (name, value) = field.trim().split_once('=')?;
            match name {
                "key" => fields.key = Some(ObjectKey::parse(value)?),
                "range" => {
                    let (first, last) = value.split_once('-')?;
                    let (first, last) = (number(first)?, number(last)?);
                    if first > last {
                        return None;
                    }
                    fields.range = Some((first, last));
                }
                "expect-ms" => fields.expect_ms = Some(number(value)?),
                "timeout-ms" => fields.timeout_ms = Some(number(value)?),
                "max-bytes" => fields.max_bytes = Some(number(value)?),
                _ => {}
            }
        }
        Some(fields)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_wait_names_key_expectation_and_timeout() {
        let wait = wait(&headers(WAIT, &["key=live/demo/x/log/0000000012; expect-ms=480; timeout-ms=6000"])).unwrap().unwrap();
        assert_eq!(wait.key.as_str(), "live/demo/x/log/0000000012");
        assert_eq!((wait.expect.as_millis(), wait.timeout.as_millis()), (480, 6000));
        assert_eq!(super::wait(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn bad_waits_are_errors() {
        for bad in
            ["", "key=a", "timeout-ms=5", "key=../a; timeout-ms=5", "key=a; timeout-ms=-5", "key=a; timeout-ms=5x", "key=a timeout-ms=5"]
        {
            assert_eq!(wait(&headers(WAIT, &[bad])), Err(WireError::Wait), "{bad}");
        }
    }

    #[test]
    fn a_load_names_what_limits_it_wants() {
        let both = load(&headers(LOAD, &["max-bytes=1000; timeout-ms=250"]));
        assert_eq!(both, Load { max_bytes: Some(1000), timeout: Some(Duration::from_millis(250)) });
        for none in [&[][..], &["max-bytes=-1"], &["nonsense"]] {
            assert_eq!(load(&headers(LOAD, none)), Load::default());
        }
    }

    #[test]
    fn pieces_keep_their_order() {
        let pieces = pieces(&headers(SEND, &["key=a; range=0-9", "key=b", "key=a; range=10-19"])).unwrap();
        let plain: Vec<_> = pieces.iter().map(|piece| (piece.key.as_str(), piece.range)).collect();
        assert_eq!(plain, [("a", Some((0, 9))), ("b", None), ("a", Some((10, 19)))]);
    }

    #[test]
    fn bad_pieces_are_errors() {
        for bad in ["", "range=0-1", "key=a; range=1-0", "key=a; range=0-", "key=/a", "key=a//b", "key=a; range=+1-2"] {
            assert_eq!(pieces(&headers(SEND, &[bad])), Err(WireError::Send), "{bad}");
        }
        let many = vec!["key=a"; PIECES + 1];
        assert_eq!(pieces(&headers(SEND, &many)), Err(WireError::TooManyPieces));
    }

    #[test]
    fn viewers_see_nothing_of_the_wire() {
        let mut headers = headers(SEND, &["key=a", "key=b"]);
        headers.insert("tidegate-new", HeaderValue::from_static("x"));
        headers.insert("content-type", HeaderValue::from_static("video/mp4"));
        strip(&mut headers);
        assert_eq!(headers.len(), 1);
    }
}
