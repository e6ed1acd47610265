use alloc::{string::String, vec::Vec};

use tidegate_stream::{format_utc, report_stream, split_token};

/// A report that was counted.
#[derive(Clone, Copy, Debug)]
pub struct Posted<'a> {
    /// When it came, in ms since 1970, by the clock of who took it.
    pub at_utc_ms: u64,
    /// Where it was posted to, without a query.
    pub path: &'a str,
    /// What the host is called that took it.
    pub edge: &'a str,
    /// Where the viewer is, as `DE` or `DE-BE`; empty where nothing says it.
    pub country: &'a str,
    /// The viewer's network, as `AS3320`; empty where nothing says it.
    pub network: &'a str,
    /// What the player wrote.
    pub body: &'a [u8],
}

/// Lines of one report that become rows: as many as are counted.
const LINES_MAX: usize = 64;
/// A line that becomes a row: as long as those that are counted.
const LINE_BYTES_MAX: usize = 4096;
/// What stands around a line.
const AROUND_BYTES: usize = 160;

impl Posted<'_> {
    /// A row for each of its lines; none where it is a report about no stream. A row ends with a line break.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let Some(stream) = report_stream(split_token(self.path).1) else { return Vec::new() };
        let Ok(body) = core::str::from_utf8(self.body) else { return Vec::new() };
        let mut at = format_utc(self.at_utc_ms);
        // As ClickHouse and Hive read timestamps.
        at.truncate("2026-11-25T19:47:46.123".len());
        let at = at.replace('T', " ");
        let lines = body.split('\n').map(|line| line.trim_matches(['\r', ' ']));
        let lines = lines.filter(|line| !line.is_empty() && line.len() <= LINE_BYTES_MAX).take(LINES_MAX);
        lines.map(|line| self.row(&at, stream.as_str(), line)).collect()
    }

    fn row(&self, at: &str, stream: &str, line: &str) -> String {
        let fields =
            [("at", at), ("stream", stream), ("edge", self.edge), ("country", self.country), ("network", self.network), ("line", line)];
        let mut row = String::with_capacity(line.len() + AROUND_BYTES);
        for (n, (name, value)) in fields.into_iter().enumerate() {
            row.push_str(if n == 0 { "{\"" } else { ",\"" });
            row.push_str(name);
            row.push_str("\":\"");
            for letter in value.chars() {
                match letter {
                    '"' | '\\' => row.extend(['\\', letter]),
                    // No key of CMCD has one.
                    letter if letter.is_control() => row.push(' '),
                    letter => row.push(letter),
                }
            }
            row.push('"');
        }
        row.push_str("}\n");
        row
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString as _, vec};

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn posted<'a>(path: &'a str, body: &'a [u8]) -> Posted<'a> {
        Posted { at_utc_ms: 1_790_000_000_123, path, edge: "fra-1", country: "DE", network: "", body }
    }

    #[test]
    fn each_line_is_a_row_with_what_is_known_of_it() {
        let rows = posted("/~abc/live/demo/beacon", b"e=ps,sid=\"a\\\"b\"\r\n\n  \ne=t\n").rows();
        let row = |line: &str| json!({"at": "2026-09-21 14:13:20.123", "stream": "demo", "edge": "fra-1", "country": "DE", "network": "", "line": line});
        let read: Vec<Value> = rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect();
        assert_eq!(read, vec![row("e=ps,sid=\"a\\\"b\""), row("e=t")]);
        assert_eq!(posted("/beacon/demo", b"e=t").rows().len(), 1);
    }

    #[test]
    fn what_is_not_counted_is_no_row() {
        for path in ["/beacon/", "/live/demo/index.m3u8", "/beacon/a/b", "/live/../beacon", "/"] {
            assert_eq!(posted(path, b"e=t").rows().len(), 0, "{path}");
        }
        assert_eq!(posted("/beacon/demo", b"\xff").rows().len(), 0);
        assert_eq!(posted("/beacon/demo", "x".repeat(LINE_BYTES_MAX + 1).as_bytes()).rows().len(), 0);
        // As many rows as lines that are counted, however short the lines are: nobody makes 64 KiB to megabytes.
        assert_eq!(posted("/beacon/demo", "x\n".repeat(10_000).as_bytes()).rows().len(), LINES_MAX);
    }

    proptest! {
        #[test]
        fn whatever_a_player_says_is_one_line_of_json(line in "\\PC{0,80}|[\\x00-\\x7f]{0,80}", country in "\\PC{0,6}") {
            let body = format!("{line}\n");
            for row in (Posted { country: &country, ..posted("/beacon/demo", body.as_bytes()) }).rows() {
                prop_assert_eq!(row.matches('\n').count(), 1);
                let read: Value = serde_json::from_str(&row).unwrap();
                prop_assert!(read["line"].is_string() && read["country"].as_str().unwrap().chars().count() == country.chars().count());
                prop_assert_eq!(read.as_object().unwrap().len(), 6, "{}", row.to_string());
            }
        }
    }
}
