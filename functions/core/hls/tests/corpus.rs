//! Real playlists of other projects, where a checkout has them beside it: `../shared/playlists` seen from the workspace.
#![allow(clippy::disallowed_methods, reason = "reads the playlists from disk")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tidegate_hls::read::{Playlist, parse};

fn playlists(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            playlists(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "m3u8") {
            found.push(path);
        }
    }
}

#[test]
fn playlists_of_other_projects_are_read_or_refused_with_a_reason() {
    let folder = Path::new("../../../../shared/playlists/hls");
    let mut found = Vec::new();
    playlists(folder, &mut found);
    if found.is_empty() {
        println!("no playlists of other projects here: nothing read");
        return;
    }
    let mut refused = BTreeMap::new();
    let (mut multivariant, mut media, mut segments) = (0, 0, 0);
    for path in &found {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        match parse(&text) {
            Ok(Playlist::Multivariant(_)) => multivariant += 1,
            Ok(Playlist::Media(list)) => {
                media += 1;
                segments += list.segments.len();
            }
            Err(error) => {
                refused.insert(path.strip_prefix(folder).unwrap(), error.to_string());
            }
        }
        // Cut off anywhere, it is still only read or refused.
        for cut in (0..text.len()).step_by(97).filter(|cut| text.is_char_boundary(*cut)) {
            let _ = parse(&text[..cut]);
        }
    }
    println!("{multivariant} multivariant and {media} media playlists with {segments} segments; refused:");
    for (path, error) in &refused {
        println!("  {}: {error}", path.display());
    }
    assert!(refused.len() * 4 < found.len(), "{} of {} are refused", refused.len(), found.len());
}
