use bytes::Bytes;
use spin_sdk::http::{BoxBody, FullBody, Response, StatusCode, box_body};
use tidegate_function::{Header, Piece};

/// An answer; the server around leaves out the body for HEAD.
///
/// Without content-length, the last packet of an answer waits 40 ms on hosts that leave Nagle's algorithm on, as Spin does.
pub(crate) fn respond(status: u16, headers: &[Header], body: Vec<u8>) -> anyhow::Result<Response<BoxBody>> {
    let mut response = Response::builder().status(status).header("content-length", body.len());
    for (name, value) in headers {
        response = response.header(*name, value.as_ref());
    }
    Ok(response.body(box_body(FullBody::new(Bytes::from(body))))?)
}

/// Tells our host which version of the words between host and functions is spoken here: that of the headers below. A host of another
/// version refuses this component, and says what to update.
pub(crate) fn greet() -> anyhow::Result<Response<BoxBody>> {
    let response = Response::builder().status(StatusCode::NO_CONTENT).header("tidegate-functions", "1");
    Ok(response.body(box_body(FullBody::new(Bytes::new())))?)
}

/// The host asks again when the object is there.
pub(crate) fn wait_by_host(key: &str, expect_ms: u64, timeout_ms: u64) -> anyhow::Result<Response<BoxBody>> {
    let wait = format!("key={key}; expect-ms={expect_ms}; timeout-ms={timeout_ms}");
    let response = Response::builder().status(StatusCode::NO_CONTENT).header("tidegate-wait", wait);
    Ok(response.body(box_body(FullBody::new(Bytes::new())))?)
}

/// The host sends the pieces.
pub(crate) fn send_by_host(pieces: &[Piece], headers: &[Header]) -> anyhow::Result<Response<BoxBody>> {
    let mut response = Response::builder().header("content-length", "0");
    for (name, value) in headers {
        response = response.header(*name, value.as_ref());
    }
    for Piece { key, range } in pieces {
        let piece = match range {
            Some((first, last)) => format!("key={key}; range={first}-{last}"),
            None => format!("key={key}"),
        };
        response = response.header("tidegate-send", piece);
    }
    Ok(response.body(box_body(FullBody::new(Bytes::new())))?)
}
