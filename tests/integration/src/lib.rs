#![allow(clippy::disallowed_methods, reason = "a test shell: it starts processes and reads the clock")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test that asked for it")]
#![allow(clippy::print_stderr, reason = "what a skipped test says")]
//! Integration tests: the real parts together. This library starts the parts; the tests are in `tests/integration`.

pub mod edges;
pub mod embedded;
mod encoder;
pub mod flaky;
pub mod minio;
pub mod platform;
mod server;
pub mod twins;
pub mod watch;

pub use embedded::Embedded;
pub use flaky::{Flaky, Trouble};
pub use minio::Minio;
pub use server::S3;
pub use tidegate_rig::{Child, ffmpeg, http, process, publisher};

/// Says that a test is skipped, for the totals at the end of a run; fails instead where everything has to be there.
pub fn skip(what: &str, missing: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{what}: {missing}");
    eprintln!("skipped: {what}: {missing}");
    if let Some(list) = std::env::var_os("TIDEGATE_SKIPPED") {
        use std::io::Write as _;
        let list = std::fs::OpenOptions::new().append(true).create(true).open(list);
        list.and_then(|mut list| writeln!(list, "{what}: {missing}")).unwrap();
    }
}
