use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// Whether a request asks what a page of another origin may do.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Any page may read, with ranges and conditions. No page may write: browsers then have no use for keys that leaked.
pub(crate) fn preflight_headers() -> HeaderMap {
    HeaderMap::from_iter([
        ANY_ORIGIN,
        (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("range, if-none-match, if-modified-since, prefer")),
        (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
    ])
}

/// Lets a page of any origin read an answer.
pub(crate) fn expose(headers: &mut HeaderMap) {
    headers.extend([
        ANY_ORIGIN,
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("etag, content-range, content-length, accept-ranges, date")),
    ]);
}

const ANY_ORIGIN: (HeaderName, HeaderValue) = (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
