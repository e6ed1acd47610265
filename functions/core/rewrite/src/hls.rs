//! HLS playlists, line by line.
mod define;
mod line;
mod segments;
mod select;

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use self::{
    define::Variables,
    line::{Line, Lines},
    segments::Segments,
    select::select,
};
use crate::{Class, Error, Places, Rules, SteeringTag, attribute::attributes, place::Base};

/// Rewrites an HLS playlist. `steering` is for multivariant playlists: it takes the place of a steering tag that is there.
///
/// Lines that nothing names are copied as they stand, line ends, blanks and bytes that are no UTF-8 included; the text need not be
/// a playlist.
pub fn hls(text: &[u8], rules: &Rules, places: &Places, steering: Option<&SteeringTag>) -> Result<Vec<u8>, Error> {
    let is_multivariant = is_multivariant(text);
    let mut writer = Writer {
        text,
        rules,
        places,
        base: Base::of(&places.base),
        steering: steering.filter(|_| is_multivariant),
        is_multivariant,
        variables: Variables::new(&places.base),
        segments: if is_multivariant { Segments::default() } else { Segments::new(text, rules) },
        after_stream_inf: false,
        is_first: true,
        out: Vec::with_capacity(text.len() + text.len() / 4 + 256),
        mapped: String::new(),
        copied: 0,
    };
    if !is_multivariant {
        writer.run(0..text.len());
        return Ok(writer.out);
    }
    for piece in select(text, rules)? {
        writer.end_line();
        writer.run(piece);
    }
    if !text.ends_with(b"\n")
        && let Some(rest) = writer.out.strip_suffix(b"\n")
    {
        // Another line is the last now; it ends as the last one did.
        let len = rest.strip_suffix(b"\r").unwrap_or(rest).len();
        writer.out.truncate(len);
    }
    Ok(writer.out)
}

/// Whether a playlist names others: a variant comes before the first segment.
#[must_use]
pub fn is_multivariant(text: &[u8]) -> bool {
    for line in Lines::new(text) {
        match line.tag() {
            b"EXT-X-STREAM-INF" | b"EXT-X-I-FRAME-STREAM-INF" | b"EXT-X-MEDIA" => return true,
            b"EXTINF" | b"EXT-X-TARGETDURATION" | b"EXT-X-MEDIA-SEQUENCE" => return false,
            _ => {}
        }
    }
    false
}

struct Writer<'a> {
    text: &'a [u8],
    rules: &'a Rules,
    places: &'a Places,
    base: Base<'a>,
    steering: Option<&'a SteeringTag>,
    is_multivariant: bool,
    variables: Variables,
    segments: Segments,
    /// The next line that is an address is that of a variant.
    after_stream_inf: bool,
    is_first: bool,
    out: Vec<u8>,
    /// The last address that was put in place of another; its memory is used again.
    mapped: String,
    /// The text is in `out`, or left out, up to here.
    copied: usize,
}

impl Writer<'_> {
    /// Writes one stretch of whole lines.
    fn run(&mut self, piece: Range<usize>) {
        self.copied = piece.start;
        for line in Lines::between(self.text, piece.clone()) {
            self.line(&line);
        }
        self.copy_to(piece.end);
    }

    fn line(&mut self, line: &Line<'_>) {
        let tag = line.tag();
        if !tag.is_empty() && self.drops(tag) {
            self.copy_to(line.start);
            self.copied = line.next;
            return;
        }
        if !self.is_multivariant {
            let inserted = self.segments.before(line);
            if !inserted.is_empty() {
                self.copy_to(line.start);
                self.insert(&inserted);
            }
        }
        match tag {
            b"" if line.is_address() => {
                let class = if self.after_stream_inf { Class::Playlist } else { Class::Media };
                self.after_stream_inf = false;
                self.address(class, line.trimmed());
            }
            // Most lines of a long playlist.
            b"EXTINF" => {}
            b"EXT-X-STREAM-INF" => {
                self.after_stream_inf = true;
                self.pathway(line);
            }
            b"EXT-X-I-FRAME-STREAM-INF" => {
                self.attribute(line, Class::Playlist, &[b"URI"]);
                self.pathway(line);
            }
            b"EXT-X-MEDIA" | b"EXT-X-IMAGE-STREAM-INF" | b"EXT-X-RENDITION-REPORT" => self.attribute(line, Class::Playlist, &[b"URI"]),
            b"EXT-X-MAP" | b"EXT-X-PART" | b"EXT-X-PRELOAD-HINT" => self.attribute(line, Class::Media, &[b"URI"]),
            b"EXT-X-KEY" | b"EXT-X-SESSION-KEY" | b"EXT-X-SESSION-DATA" => self.attribute(line, Class::Other, &[b"URI"]),
            b"EXT-X-CONTENT-STEERING" => self.attribute(line, Class::Other, &[b"SERVER-URI"]),
            b"EXT-X-DATERANGE" => {
                self.attribute(line, Class::Other, &[b"X-ASSET-URI", b"X-ASSET-LIST"]);
                if let Some(inserted) = self.segments.beside(line, self.rules) {
                    self.copy_to(line.next);
                    self.insert(&[inserted]);
                }
            }
            b"EXT-X-DEFINE" => self.variables.define(line),
            _ => {}
        }
        if self.is_first && !line.is_blank() {
            self.is_first = false;
            let mut lines: Vec<String> = self.rules.add_tags.clone();
            if let Some(steering) = self.steering {
                lines.push(alloc::format!(
                    "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{}\",PATHWAY-ID=\"{}\"",
                    steering.server_uri,
                    steering.pathway
                ));
            }
            if !lines.is_empty() {
                self.copy_to(line.next);
                self.insert(&lines);
            }
        }
    }

    fn drops(&self, tag: &[u8]) -> bool {
        (tag == b"EXT-X-CONTENT-STEERING" && self.steering.is_some()) || self.rules.drop_tags.iter().any(|drop| drop.as_bytes() == tag)
    }

    /// Puts the addresses in these attributes where they lead.
    fn attribute(&mut self, line: &Line<'_>, class: Class, names: &[&[u8]]) {
        if self.places.keeps(class) {
            return;
        }
        let found = attributes(line.content, line.list()).filter(|a| a.quoted && names.contains(&a.name));
        // Collected, since writing needs the whole of self; a tag has two addresses at most.
        let found: Vec<_> = found.map(|a| line.start + a.at.start..line.start + a.at.end).collect();
        for at in found {
            self.address(class, at);
        }
    }

    fn address(&mut self, class: Class, at: Range<usize>) {
        if self.places.keeps(class) {
            return;
        }
        let Some(reference) = self.text.get(at.clone()).and_then(|bytes| core::str::from_utf8(bytes).ok()) else { return };
        let mut mapped = core::mem::take(&mut self.mapped);
        let moves = match memchr::memchr(b'{', reference.as_bytes()) {
            // What a variable stands for decides where the address leads; without it the address stays.
            Some(_) if reference.contains("{$") => {
                self.variables.substitute(reference).is_some_and(|meant| self.places.write(&mut mapped, class, self.base, &meant))
            }
            _ => self.places.write(&mut mapped, class, self.base, reference),
        };
        if moves && memchr::memchr3(b'"', b'\n', b'\r', mapped.as_bytes()).is_none() {
            self.replace(at, mapped.as_bytes());
        }
        self.mapped = mapped;
    }

    /// Names the pathway of a variant that names none.
    fn pathway(&mut self, line: &Line<'_>) {
        let Some(steering) = self.steering.filter(|steering| steering.pathway != ".") else { return };
        if attributes(line.content, line.list()).any(|a| a.name == b"PATHWAY-ID") {
            return;
        }
        let end = line.start + line.content.trim_ascii_end().len();
        self.replace(end..end, alloc::format!(",PATHWAY-ID=\"{}\"", steering.pathway).as_bytes());
    }

    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = self.copied.max(end);
    }

    fn replace(&mut self, at: Range<usize>, with: &[u8]) {
        self.copy_to(at.start);
        self.out.extend_from_slice(with);
        self.copied = at.end;
    }

    /// Writes whole lines; the text is copied up to the start of a line.
    fn insert(&mut self, lines: &[String]) {
        self.end_line();
        for line in lines {
            self.out.extend_from_slice(line.as_bytes());
            self.out.extend_from_slice(line_end(self.text));
        }
    }

    /// Ends the line that was written last, if nothing else has.
    fn end_line(&mut self) {
        if self.out.last().is_some_and(|last| *last != b'\n') {
            self.out.extend_from_slice(line_end(self.text));
        }
    }
}

/// How the first line of the text ends.
fn line_end(text: &[u8]) -> &'static [u8] {
    match memchr::memchr(b'\n', text) {
        Some(at) if at > 0 && text.get(at - 1) == Some(&b'\r') => b"\r\n",
        _ => b"\n",
    }
}

#[cfg(test)]
mod tests;
