//! The reader of playlists takes any text: two of them in a row, the second perhaps a delta of the first.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_hls::{
    read::{Playlist, parse},
    uri::{resolve, with_query, without_directives},
};

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\0').unwrap_or((text, text));
    let lines = text.lines().count();
    if let (Ok(Playlist::Media(before)), Ok(Playlist::Media(after))) = (parse(first), parse(second)) {
        assert!(before.segments.len() <= lines && after.segments.len() <= lines);
        let (known, own) = (before.segments.len(), after.segments.len());
        if let Ok(whole) = after.merge_delta(before) {
            assert!(whole.segments.len() <= known + own && whole.skip.is_none());
        }
    }
    let url = resolve(first, second);
    let _ = without_directives(&with_query(&url, first));
});
