//! Rows as edges send them, of lines that come as `<ms since 1970> <line>` on standard input: what the check of ClickHouse's tables inserts.
#![allow(clippy::print_stdout, reason = "rows are its output")]
use std::io;

use tidegate_raw::Posted;

fn main() -> io::Result<()> {
    for line in io::stdin().lines() {
        let line = line?;
        let Some((at, line)) = line.split_once(' ') else { continue };
        let at_utc_ms = at.parse().map_err(io::Error::other)?;
        let posted = Posted { at_utc_ms, path: "/live/demo/beacon", edge: "a", country: "DE", network: "", body: line.as_bytes() };
        posted.rows().iter().for_each(|row| print!("{row}"));
    }
    Ok(())
}
