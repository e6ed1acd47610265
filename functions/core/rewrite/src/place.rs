use alloc::{string::String, vec::Vec};

use crate::{Parts, append_query, resolve};

/// What an address in a playlist leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Another playlist, or this one again.
    Playlist,
    /// Segments, parts, init segments.
    Media,
    /// Keys, session data, asset lists, and what else there is.
    Other,
}

/// One origin's addresses and where they lead instead.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// What the absolute address begins with; ends with a slash, so that it names a host, or a folder, and not the beginning of one.
    pub from: String,
    /// What stands in its place.
    pub to: String,
    /// Parameters for the address, as `token=abc`; only addresses of this place get them.
    pub query: String,
    /// A relative reference resolves to the right place as it is: only the parameters are added.
    pub keeps_relative: bool,
}

/// Where the addresses of a playlist lead. Without any, all of them stay as they are.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// The URL that the playlist came from.
    pub base: String,
    /// For other playlists; the first whose `from` fits.
    pub playlists: Vec<Place>,
    /// For media.
    pub media: Vec<Place>,
    /// For the rest.
    pub others: Vec<Place>,
    /// The playlist moves: an address of no place becomes absolute, so that it leads to where it did.
    pub absolute: bool,
}

/// The URL that references are resolved against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base<'a> {
    url: &'a str,
    /// Up to the last slash of its path.
    folder: Option<&'a str>,
    /// What is below the folder has it in front of it as it stands: it is an address of HTTP without dots to resolve.
    is_plain: bool,
}

impl<'a> Base<'a> {
    pub(crate) fn of(url: &'a str) -> Self {
        let folder = folder(url);
        let is_plain = folder.is_some_and(|folder| Parts::of(folder).is_http() && !folder.contains("/."));
        Self { url, folder, is_plain }
    }
}

impl Places {
    /// The places of one class.
    pub(crate) fn of(&self, class: Class) -> &[Place] {
        match class {
            Class::Playlist => &self.playlists,
            Class::Media => &self.media,
            Class::Other => &self.others,
        }
    }

    /// Whether addresses of this class stay whatever they are.
    pub(crate) fn keeps(&self, class: Class) -> bool {
        self.base.is_empty() || (self.of(class).is_empty() && !self.absolute)
    }

    /// What stands in place of a reference; `None` where it stays.
    pub(crate) fn map(&self, class: Class, base: Base<'_>, reference: &str) -> Option<String> {
        let mut out = String::new();
        self.write(&mut out, class, base, reference).then_some(out)
    }

    /// Writes what stands in place of a reference; `false` where it stays.
    pub(crate) fn write(&self, out: &mut String, class: Class, base: Base<'_>, reference: &str) -> bool {
        out.clear();
        if self.keeps(class) || reference.is_empty() {
            return false;
        }
        let places = self.of(class);
        if let Some(folder) = base.folder.filter(|_| is_plain(reference)) {
            // The common case, without putting the whole address together: something below the folder of the playlist.
            if let Some((place, below)) = places.iter().find_map(|place| Some((place, folder.strip_prefix(&place.from)?))) {
                let moves = !place.keeps_relative;
                if !moves && place.query.is_empty() {
                    return false;
                }
                if moves {
                    out.push_str(&place.to);
                    out.push_str(below);
                }
                append_query(out, reference, &place.query);
                return true;
            }
            if places.is_empty() && base.is_plain {
                out.push_str(folder);
                out.push_str(reference);
                return true;
            }
        }
        let absolute = resolve(base.url, reference);
        if !Parts::of(&absolute).is_http() {
            return false;
        }
        match places.iter().find_map(|place| Some((place, strip_origin(&absolute, &place.from)?))) {
            Some((place, _)) if place.keeps_relative && is_relative(reference) => append_query(out, reference, &place.query),
            Some((place, below)) => {
                out.push_str(&place.to);
                append_query(out, below, &place.query);
            }
            None if self.absolute => *out = absolute,
            None => return false,
        }
        out != reference
    }

    /// Where a base address of media leads, which gets no parameters; `None` where it stays.
    pub(crate) fn map_base(&self, absolute: &str) -> Option<String> {
        if self.keeps(Class::Media) || !Parts::of(absolute).is_http() {
            return None;
        }
        match self.media.iter().find_map(|place| Some((place, strip_origin(absolute, &place.from)?))) {
            Some((place, _)) if place.keeps_relative => None,
            Some((place, below)) => Some(place.to.clone() + below),
            None => self.absolute.then(|| absolute.into()),
        }
    }

    /// The parameters that media at this address gets.
    pub(crate) fn media_query(&self, absolute: &str) -> &str {
        let place = self.media.iter().find(|place| strip_origin(absolute, &place.from).is_some());
        place.map_or("", |place| &place.query)
    }
}

/// What follows `from`; a scheme and a host are the same in capitals.
fn strip_origin<'a>(absolute: &'a str, from: &str) -> Option<&'a str> {
    let host_end = from.find("://").and_then(|at| Some(at + 3 + from.get(at + 3..)?.find('/')?)).unwrap_or(0);
    let (own, theirs) = (absolute.get(..host_end)?, from.get(..host_end)?);
    if !own.eq_ignore_ascii_case(theirs) {
        return None;
    }
    absolute.get(host_end..)?.strip_prefix(from.get(host_end..)?)
}

/// Up to the last slash of the path.
fn folder(base: &str) -> Option<&str> {
    let path_end = base.find(['?', '#']).unwrap_or(base.len());
    let address = base.get(..path_end)?;
    let host = address.find("://")? + 3;
    let slash = address.rfind('/').filter(|slash| *slash >= host)?;
    address.get(..=slash)
}

/// A path below the folder of the playlist: no scheme, no host, no way up.
fn is_plain(reference: &str) -> bool {
    let mut previous = b'/';
    for (at, b) in reference.bytes().enumerate() {
        match b {
            b'?' | b'#' => return at > 0,
            b':' => return false,
            // `/` first, `//`, `./`, `../`, `.hidden`: rare, so all of them take the long way.
            b'/' | b'.' if previous == b'/' => return false,
            _ => {}
        }
        previous = b;
    }
    true
}

fn is_relative(reference: &str) -> bool {
    let parts = Parts::of(reference);
    parts.scheme.is_none() && parts.authority.is_none() && !parts.path.starts_with('/')
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn places(keeps_relative: bool) -> Places {
        let place =
            Place { from: "https://o.example/live/".into(), to: "https://cdn.example/".into(), query: "t=1".into(), keeps_relative };
        Places { base: "https://o.example/live/a/index.m3u8?x=1".into(), media: vec![place], absolute: true, ..Places::default() }
    }

    #[test]
    fn addresses_below_a_place_move_and_others_become_absolute() {
        let places = places(false);
        let map = |reference| places.map(Class::Media, Base::of(&places.base), reference);
        for (reference, expected) in [
            ("1.ts", "https://cdn.example/a/1.ts?t=1"),
            ("b/1.ts?k=2#f", "https://cdn.example/a/b/1.ts?k=2&t=1#f"),
            ("../c/1.ts", "https://cdn.example/c/1.ts?t=1"),
            ("./1.ts", "https://cdn.example/a/1.ts?t=1"),
            ("/live/1.ts", "https://cdn.example/1.ts?t=1"),
            ("/other/1.ts", "https://o.example/other/1.ts"),
            ("../../other/1.ts", "https://o.example/other/1.ts"),
            ("HTTPS://O.example/live/1.ts", "https://cdn.example/1.ts?t=1"),
            ("https://o.example.evil.example/live/1.ts", "https://o.example.evil.example/live/1.ts"),
            ("//else.example/1.ts", "https://else.example/1.ts"),
        ] {
            let found = map(reference);
            assert_eq!(found.as_deref().unwrap_or(reference), expected, "{reference}");
        }
        assert_eq!(map("data:text/plain,x"), None);
        assert_eq!(map("skd://key"), None);
        assert_eq!(map(""), None);
        assert_eq!(places.map(Class::Playlist, Base::of(&places.base), "x.m3u8").as_deref(), Some("https://o.example/live/a/x.m3u8"));
    }

    #[test]
    fn addresses_of_no_place_become_what_they_resolve_to() {
        for base in [
            "https://o.example/live/a/index.m3u8?x=/./",
            "https://o.example/./a/../b/index.m3u8",
            "HTTP://o.example/i",
            "ftp://o.example/a/i",
        ] {
            let places = Places { base: base.into(), absolute: true, ..Places::default() };
            for reference in ["1.ts", "b/c.ts?x#y", "../d.ts", "./e", "b/../f", "/g", "//h/i", "data:j"] {
                let absolute = resolve(base, reference);
                let expected = Parts::of(&absolute).is_http().then_some(absolute);
                assert_eq!(places.map(Class::Media, Base::of(base), reference), expected, "{reference} in {base}");
            }
        }
    }

    #[test]
    fn relative_addresses_may_stay_relative() {
        let places = places(true);
        let map = |reference| places.map(Class::Media, Base::of(&places.base), reference);
        assert_eq!(map("b/1.ts").as_deref(), Some("b/1.ts?t=1"));
        assert_eq!(map("../b/1.ts").as_deref(), Some("../b/1.ts?t=1"));
        assert_eq!(map("/live/b/1.ts").as_deref(), Some("https://cdn.example/b/1.ts?t=1"));
        assert_eq!(map("../../b/1.ts").as_deref(), Some("https://o.example/b/1.ts"));
    }
}
