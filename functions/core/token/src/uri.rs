//! The parts of an address as `catu` names them.
use crate::claims::UriPart;

/// The address that a request asks for, without its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address<'a> {
    pub(crate) scheme: &'a str,
    /// With a port, as in the Host header.
    pub(crate) authority: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
}

impl<'a> Address<'a> {
    pub(crate) fn part(&self, part: UriPart) -> &'a str {
        let slash = self.path.rfind('/').unwrap_or(0);
        let file = self.path.get(slash..).map_or("", |file| file.trim_start_matches('/'));
        let dot = file.find('.').unwrap_or(file.len());
        match part {
            UriPart::Scheme => self.scheme,
            UriPart::Host => self.host_and_port().0,
            UriPart::Port => self.host_and_port().1,
            UriPart::Path => self.path,
            UriPart::Query => self.query,
            UriPart::ParentPath => self.path.get(..slash).unwrap_or_default(),
            UriPart::Filename => file,
            UriPart::Stem => file.get(..dot).unwrap_or_default(),
            UriPart::Extension => file.get(dot..).unwrap_or_default(),
        }
    }

    fn host_and_port(&self) -> (&'a str, &'a str) {
        match self.authority.rsplit_once(':') {
            // Not the colons of an IPv6 address.
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (self.authority, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_specification() {
        let address = Address { scheme: "https", authority: "[::1]:8443", path: "/live/demo/a.b.m3u8", query: "x=1" };
        for (part, expected) in [
            (UriPart::Scheme, "https"),
            (UriPart::Host, "[::1]"),
            (UriPart::Port, "8443"),
            (UriPart::Path, "/live/demo/a.b.m3u8"),
            (UriPart::Query, "x=1"),
            (UriPart::ParentPath, "/live/demo"),
            (UriPart::Filename, "a.b.m3u8"),
            (UriPart::Stem, "a"),
            (UriPart::Extension, ".b.m3u8"),
        ] {
            assert_eq!(address.part(part), expected, "{part:?}");
        }
        let root = Address { scheme: "http", authority: "a.example", path: "/", query: "" };
        assert_eq!((root.part(UriPart::Filename), root.part(UriPart::ParentPath), root.part(UriPart::Port)), ("", "", ""));
    }
}
