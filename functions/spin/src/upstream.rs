use std::time::Duration;

use spin_sdk::http::{EmptyBody, Response, send};
use tidegate_manifest::Fetched;

/// The largest object that is read: a segment bundle of 2 s at 60 Mbit/s. Our host keeps larger ones out of here.
const OBJECT_BYTES: usize = 16 << 20;

/// Where objects come from.
pub(crate) struct Upstream {
    /// Without a slash at the end.
    base: String,
}

impl Upstream {
    /// The address in `TIDEGATE_UPSTREAM`; without one every fetch fails.
    pub(crate) fn from_env() -> Self {
        let base = std::env::var("TIDEGATE_UPSTREAM").unwrap_or_default();
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    pub(crate) async fn fetch(&self, key: &str, range: Option<(u64, u64)>) -> Fetched {
        self.get(key, range).await.unwrap_or(Fetched::Failed)
    }

    async fn get(&self, key: &str, range: Option<(u64, u64)>) -> Option<Fetched> {
        let mut request = spin_sdk::http::Request::get(format!("{}/{key}", self.base));
        if let Some((first, last)) = range {
            request = request.header("range", format!("bytes={first}-{last}"));
        }
        let response = send(request.body(EmptyBody::new()).ok()?).await.ok()?;
        match (response.status().as_u16(), range) {
            (200, None) | (206, Some(_)) => read(response).await.map(Fetched::Got),
            // A server may leave ranges alone and send everything.
            (200, Some(_)) => read(response).await.map(|bytes| Fetched::Got(cut(bytes, range))),
            (404 | 416, _) => Some(Fetched::Missing),
            _ => None,
        }
    }
}

async fn read(response: Response) -> Option<Vec<u8>> {
    use http_body_util::BodyExt as _;
    let mut body = response.into_body();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.ok()?.into_data() else { continue };
        if all.len() + chunk.len() > OBJECT_BYTES {
            return None;
        }
        all.extend_from_slice(&chunk);
    }
    Some(all)
}

/// The bytes of `range`, as far as they are there.
pub(crate) fn cut(mut bytes: Vec<u8>, range: Option<(u64, u64)>) -> Vec<u8> {
    let Some((first, last)) = range else { return bytes };
    let len = bytes.len();
    let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(len);
    bytes.truncate(within(last.saturating_add(1)));
    bytes.drain(..within(first).min(bytes.len()));
    bytes
}

/// How long until the next look for an object that is late: soon at first, then every tenth of a second.
pub(crate) fn poll_pause(late: Duration) -> Duration {
    (Duration::from_millis(15) + late / 12).min(Duration::from_millis(100))
}
