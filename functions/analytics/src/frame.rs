use alloc::{borrow::ToOwned as _, vec::Vec};

use tidegate_function::{HOPS, Request};

/// One viewer's report among those that a host hands over together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// As it came to the host, with the headers that the host passes on.
    pub request: Request,
}

/// Reports handed over at once; a host sends what has come in while the call before was answered.
const FRAMES_MAX: usize = 1024;
const HEADERS_MAX: usize = 32;

/// Reads the body of a call with several reports: for each a line with the length of its head and of its body, then the head (the path,
/// then a line for each header) and the body. `None` where it is none of ours.
#[must_use]
pub fn frames(mut body: &[u8]) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    while !body.is_empty() {
        let end = body.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = (body.get(..end)?, body.get(end + 1..)?);
        let (head_len, body_len) = core::str::from_utf8(line).ok()?.split_once(' ')?;
        let (head, rest) = rest.split_at_checked(head_len.parse().ok()?)?;
        let (report, rest) = rest.split_at_checked(body_len.parse().ok()?)?;
        body = rest;
        if frames.len() >= FRAMES_MAX {
            return None;
        }
        let mut lines = core::str::from_utf8(head).ok()?.split('\n');
        let path = lines.next()?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers = lines.take(HEADERS_MAX).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // What a host tells of its own has no method, which no viewer's request is without.
        let method = if path == HOPS { "" } else { "POST" }.into();
        let (path, query) = (path.to_owned(), query.to_owned());
        frames.push(Frame { request: Request { method, path, query, headers, body: report.to_vec(), ..Request::default() } });
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reports_come_apart_as_they_were_put_together() {
        let framed = |head: &str, body: &str| format!("{} {}\n{head}{body}", head.len(), body.len());
        let both = framed("/beacon/a?b\nx-y: z: 1", "e=t") + &framed("/live/demo/beacon", "");
        assert_eq!(frames(both.get(..both.len() - 1).unwrap().as_bytes()), None, "the last one is cut off");
        let read = frames(both.as_bytes()).unwrap();
        assert_eq!(read.len(), 2);
        let first = &read[0].request;
        assert_eq!((first.path.as_str(), first.query.as_str(), first.header("x-y")), ("/beacon/a", "b", Some("z: 1")));
        assert_eq!((first.body.as_slice(), read[1].request.path.as_str()), (&b"e=t"[..], "/live/demo/beacon"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_reports_or_not(body in "[0-9 \n/a:]{0,60}") {
            let _ = frames(body.as_bytes());
        }
    }
}
