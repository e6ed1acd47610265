//! What the component answers, as the host goes on with it; what a component writes is checked here and nowhere else.
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tidegate_function::Said;

use crate::objects::ObjectKey;

/// The function of the component's turns.
pub(crate) const TURN: &str = "turn";
/// Addresses that begin like this are between host and component.
pub(crate) const OWN: &str = "/tidegate-";
/// With an object, between edges: how long ago the store has written it, in ms, by the store's own clock.
pub(crate) const AGE: &str = "tidegate-age-ms";
/// Headers that begin like this say what the host knows of a viewer; no viewer's own reach a function.
const VIEWER: &str = "viewer-";
/// The host, with its port, that the viewer asked; with a request that is one viewer's own.
pub(crate) const VIEWER_HOST: &str = "viewer-host";
/// `http` or `https`.
pub(crate) const VIEWER_SCHEME: &str = "viewer-scheme";
/// Where the viewer is, where something before the host knows it.
pub(crate) const VIEWER_COUNTRY: &str = "viewer-country";

/// Pieces of one answer. A segment that is cut out of the records of its parts needs one for each part.
const PIECES: usize = 256;

/// An answer as the component wrote it.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Send this.
    Respond { status: StatusCode, headers: HeaderMap, body: Bytes },
    /// Send these bytes of objects.
    Send { headers: HeaderMap, pieces: Vec<Piece> },
    /// Ask again.
    Wait(Wait),
}

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

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the component named an object that cannot be")]
    Key,
    #[error("the component wrote a status or a header that cannot be")]
    Head,
    #[error("the component asked for no piece, or for more than {PIECES}")]
    Pieces,
    #[error("the component gave no answer")]
    NoAnswer,
}

impl Reply {
    /// Takes an answer; its body stays where it lies in the message.
    pub(crate) fn read(said: &Said<'_>, message: &Bytes) -> Result<Self, WireError> {
        match said {
            Said::Respond { status, headers, body } => {
                let status = StatusCode::from_u16(*status).map_err(|_| WireError::Head)?;
                Ok(Self::Respond { status, headers: head(headers)?, body: message.slice_ref(body) })
            }
            Said::Send { pieces, headers } => {
                if pieces.is_empty() || pieces.len() > PIECES {
                    return Err(WireError::Pieces);
                }
                let pieces = pieces.iter().map(|(key, range)| Ok(Piece { key: object(key)?, range: *range }));
                Ok(Self::Send { headers: head(headers)?, pieces: pieces.collect::<Result<_, _>>()? })
            }
            Said::Wait { key, expect_ms, timeout_ms } => Ok(Self::Wait(Wait {
                key: object(key)?,
                expect: Duration::from_millis(*expect_ms),
                timeout: Duration::from_millis(*timeout_ms),
            })),
            Said::Fetch { .. } | Said::Store { .. } | Said::Delete { .. } | Said::Load { .. } => Err(WireError::NoAnswer),
        }
    }
}

fn object(key: &str) -> Result<ObjectKey, WireError> {
    ObjectKey::parse(key).ok_or(WireError::Key)
}

fn head(pairs: &[(&str, &str)]) -> Result<HeaderMap, WireError> {
    let mut headers = HeaderMap::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| WireError::Head)?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| WireError::Head)?);
    }
    strip(&mut headers);
    Ok(headers)
}

/// Takes out of `headers` what is between host and component, and what belongs to the connection.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let is_ours = |name: &&HeaderName| name.as_str().starts_with("tidegate-") || name.as_str().starts_with(VIEWER);
    let ours: Vec<_> = headers.keys().filter(is_ours).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "proxy-connection", "content-length"] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &Said<'_>) -> Result<Reply, WireError> {
        Reply::read(said, &Bytes::new())
    }

    #[test]
    fn pieces_keep_their_order() {
        let pieces = vec![("a", Some((0, 9))), ("b", None), ("a", Some((10, 19)))];
        let Ok(Reply::Send { pieces: found, .. }) = read(&Said::Send { pieces: pieces.clone(), headers: vec![] }) else { panic!() };
        let plain: Vec<_> = found.iter().map(|piece| (piece.key.as_str(), piece.range)).collect();
        assert_eq!(plain, pieces);
    }

    #[test]
    fn what_cannot_be_is_an_error() {
        let send = |pieces| read(&Said::Send { pieces, headers: vec![] }).unwrap_err();
        assert_eq!(send(vec![]), WireError::Pieces);
        assert_eq!(send(vec![("a", None); PIECES + 1]), WireError::Pieces);
        for key in ["", "/a", "a//b", "../a"] {
            assert_eq!(send(vec![(key, None)]), WireError::Key);
            assert_eq!(read(&Said::Wait { key, expect_ms: 0, timeout_ms: 0 }).unwrap_err(), WireError::Key);
        }
        for (status, name, value) in [(99, "a", "b"), (1000, "a", "b"), (200, "", "b"), (200, "a b", "b"), (200, "a", "b\r\nc: d")] {
            let said = Said::Respond { status, headers: vec![(name, value)], body: &[] };
            assert_eq!(read(&said).unwrap_err(), WireError::Head, "{status} {name} {value}");
        }
        assert_eq!(read(&Said::Delete { key: "a" }).unwrap_err(), WireError::NoAnswer);
    }

    #[test]
    fn viewers_see_nothing_of_the_wire() {
        let names = ["tidegate-new", "viewer-host", "connection", "content-length", "content-type"];
        let said = Said::Respond { status: 200, headers: names.map(|name| (name, "1")).to_vec(), body: &[] };
        let Ok(Reply::Respond { headers, .. }) = read(&said) else { panic!() };
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    }
}
