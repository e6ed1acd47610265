//! The heads of answers.

use alloc::{format, string::String, vec::Vec};

use crate::{
    probe::Answer,
    read::{Faults, shown},
    rules,
};

/// `Date` has whole seconds, and clocks differ: an answer older than this came out of a cache.
const OLD_US: i64 = 5_000_000;

/// What every playlist's answer has to keep.
pub(crate) fn of_playlist(answer: &Answer, now_utc_us: i64, faults: &mut Faults) {
    let kind = answer.header("content-type").unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !["application/vnd.apple.mpegurl", "audio/mpegurl"].iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        faults.add(
            rules::HTTP_TYPE,
            0,
            if kind.is_empty() { String::from("no Content-Type") } else { format!("Content-Type: {}", shown(kind)) },
        );
    }
    if answer.header("access-control-allow-origin").is_none() {
        faults.add(rules::HTTP_CORS, 0, "no Access-Control-Allow-Origin");
    }
    if let Some(date) = answer.header("date").and_then(http_date)
        && now_utc_us - date > OLD_US
        && answer.header("age").is_none()
    {
        faults.add(rules::HTTP_AGE, 0, format!("a Date {} s ago, and no Age", (now_utc_us - date) / 1_000_000));
    }
}

/// Whether a playlist that was asked for with gzip came so.
pub(crate) fn gzip(answer: &Answer) -> bool {
    answer.header("content-encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("gzip"))
}

/// Why caches may not keep an answer; `None` where they may.
pub(crate) fn cacheable(answer: &Answer) -> Option<String> {
    let control = answer.header("cache-control")?;
    let directives: Vec<&str> = control.split(',').map(str::trim).collect();
    let number = |name: &str| directives.iter().find_map(|directive| directive.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok());
    let forbids =
        directives.iter().any(|directive| ["no-store", "no-cache", "private"].iter().any(|word| directive.eq_ignore_ascii_case(word)));
    let short = number("s-maxage").or_else(|| number("max-age")) == Some(0);
    (forbids || short).then(|| format!("Cache-Control: {}", shown(control)))
}

/// Reads a date of HTTP (`Sun, 06 Nov 1994 08:49:37 GMT`) into us since 1970.
pub(crate) fn http_date(text: &str) -> Option<i64> {
    let rest = text.split_once(", ")?.1;
    let words: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = words.as_slice() else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| name == month)? + 1;
    tidegate_hls::read::value::date(&format!("{year}-{month:02}-{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_http_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000_000));
        assert_eq!(http_date("yesterday"), None);
    }
}
