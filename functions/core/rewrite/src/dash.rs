//! DASH manifests, tag by tag.
mod select;
mod xml;

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::ops::Range;

use self::{
    select::{DEPTH, select},
    xml::{Piece, Pieces, attributes, local, push_escaped, unescape},
};
use crate::{Class, Error, Parts, Places, Rules, SteeringTag, append_query, place::Base, resolve};

/// Rewrites a DASH manifest: filters, addresses, steering. `steering` takes the place of a ContentSteering that is there.
///
/// Tags and texts that nothing names are copied as they stand; the text need not be XML.
pub fn dash(text: &[u8], rules: &Rules, places: &Places, steering: Option<&SteeringTag>) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        text,
        places,
        steering,
        root_base: root_base(text),
        prefix: b"",
        drops: select(text, &rules.filter)?.into_iter().peekable(),
        open: Vec::new(),
        out: Vec::with_capacity(text.len() + text.len() / 8 + 512),
        copied: 0,
    };
    let mut skip_until = 0;
    for piece in Pieces::new(text) {
        match piece {
            Piece::Start { tag, .. } | Piece::End { tag } | Piece::Text(tag) if tag.start < skip_until => {}
            Piece::Start { tag, name, is_empty } => match writer.drop_at(&tag) {
                Some(end) => skip_until = end,
                // No manifest is so deep: the rest stays as it is.
                None if writer.open.len() == DEPTH => break,
                None => writer.start(tag, &name, is_empty),
            },
            Piece::End { tag } => writer.end(&tag),
            Piece::Text(at) => writer.content(at),
            Piece::Other => {}
        }
    }
    writer.copy_to(text.len());
    Ok(writer.out)
}

/// The first BaseURL of the manifest itself, outside of its periods.
fn root_base(text: &[u8]) -> Option<String> {
    let mut depth = 0_usize;
    let mut is_in = false;
    for piece in Pieces::new(text) {
        match piece {
            Piece::Start { name, is_empty, .. } => {
                match (depth, local(text.get(name).unwrap_or_default())) {
                    (1, b"BaseURL") => is_in = !is_empty,
                    (1, b"Period") => return None,
                    _ => {}
                }
                depth += usize::from(!is_empty);
            }
            Piece::Text(at) if is_in => return Some(unescape(text.get(at)?.trim_ascii())?.into_owned()),
            Piece::End { .. } => {
                is_in = false;
                depth = depth.saturating_sub(1);
            }
            Piece::Text(_) | Piece::Other => {}
        }
    }
    None
}

struct Element<'a> {
    name: &'a [u8],
    /// What the addresses in it are resolved against, at the origin.
    base: String,
    /// It had a BaseURL; of several the first counts, as players begin.
    has_base: bool,
    /// Its children had their first tag.
    has_children: bool,
    is_left_out: bool,
    content: Range<usize>,
    tag_start: usize,
}

struct Writer<'a> {
    text: &'a [u8],
    places: &'a Places,
    steering: Option<&'a SteeringTag>,
    root_base: Option<String>,
    /// Of the names of the root's namespace, with its colon.
    prefix: &'a [u8],
    drops: core::iter::Peekable<alloc::vec::IntoIter<Range<usize>>>,
    open: Vec<Element<'a>>,
    out: Vec<u8>,
    copied: usize,
}

impl<'a> Writer<'a> {
    /// Leaves out the element that begins with this tag, if it is to be, and says where it ends.
    fn drop_at(&mut self, tag: &Range<usize>) -> Option<usize> {
        let drop = self.drops.next_if(|drop| drop.contains(&tag.start))?;
        self.copy_to(drop.start);
        self.copied = drop.end;
        Some(drop.end)
    }

    fn start(&mut self, tag: Range<usize>, name: &Range<usize>, is_empty: bool) {
        let whole = self.text.get(name.clone()).unwrap_or_default();
        let element = local(whole);
        if self.open.is_empty() {
            self.prefix = whole.strip_suffix(element).unwrap_or_default();
        }
        self.before_child(element, tag.start);
        let base = self.base().to_string();
        self.attributes(element, &tag, name, &base);
        if !is_empty {
            let is_left_out = self.open.len() == 1 && self.replaces(element);
            let content = tag.end..tag.end;
            let element = Element { name: element, base, has_base: false, has_children: false, is_left_out, content, tag_start: tag.start };
            self.open.push(element);
        }
    }

    /// What stands for this child of the root is written by us.
    fn replaces(&self, element: &[u8]) -> bool {
        matches!(element, b"ContentSteering" | b"BaseURL") && self.pathways().is_some()
    }

    /// Each pathway of the steering tag with the base address of the whole manifest on it.
    fn pathways(&self) -> Option<(&'a SteeringTag, Vec<(&'a str, String)>)> {
        let steering = self.steering?;
        let from = &self.places.media.first()?.from;
        let root = resolve(&self.places.base, self.root_base.as_deref().unwrap_or("."));
        let below = root.strip_prefix(from)?;
        Some((steering, steering.bases.iter().map(|(id, base)| (id.as_str(), alloc::format!("{base}{below}"))).collect()))
    }

    /// Puts what the manifest lacks before the first child of the root that may follow it.
    fn before_child(&mut self, element: &[u8], at: usize) {
        let [root] = self.open.as_mut_slice() else { return };
        if root.name != b"MPD" || root.has_children || element == b"ProgramInformation" {
            return;
        }
        root.has_children = true;
        let mut inserted = Vec::new();
        if let Some((steering, bases)) = self.pathways() {
            for (pathway, base) in bases {
                push_element(&mut inserted, self.prefix, "BaseURL", &[("serviceLocation", pathway)], &base);
            }
            let attributes = [("defaultServiceLocation", steering.pathway.as_str()), ("queryBeforeStart", "false")];
            push_element(&mut inserted, self.prefix, "ContentSteering", &attributes, &steering.server_uri);
        } else if self.root_base.is_none() {
            // The manifest moves: what is relative in it leads where the media is.
            if let Some(base) = self.places.map_base(&resolve(&self.places.base, ".")) {
                push_element(&mut inserted, self.prefix, "BaseURL", &[], &base);
            }
        }
        self.copy_to(at);
        self.out.extend_from_slice(&inserted);
    }

    fn base(&self) -> &str {
        self.open.last().map_or(&self.places.base, |element| &element.base)
    }

    fn attributes(&mut self, element: &[u8], tag: &Range<usize>, name: &Range<usize>, base: &str) {
        for attribute in attributes(self.text, tag.clone(), name) {
            let class = match (element, local(attribute.name)) {
                (b"SegmentTemplate", b"media" | b"initialization" | b"index" | b"bitstreamSwitching")
                | (b"SegmentURL", b"media" | b"index")
                | (b"Initialization" | b"RepresentationIndex" | b"BitstreamSwitching", b"sourceURL") => Class::Media,
                (_, b"href") => Class::Other,
                _ => continue,
            };
            let Some(value) = self.text.get(attribute.at.clone()).and_then(unescape) else { continue };
            let mapped = match class {
                Class::Media => self.media(base, &value),
                Class::Playlist | Class::Other => self.places.map(class, Base::of(base), &value),
            };
            if let Some(mapped) = mapped {
                self.replace(attribute.at, &mapped);
            }
        }
    }

    /// Media is found by way of the base address, which moves as a whole: what lies below it stays relative.
    fn media(&self, base: &str, reference: &str) -> Option<String> {
        let parts = Parts::of(reference);
        let is_below = parts.scheme.is_none() && parts.authority.is_none() && !parts.path.starts_with('/') && !parts.path.contains("..");
        if !is_below {
            return self.places.map(Class::Media, Base::of(base), reference);
        }
        let mut out = String::new();
        append_query(&mut out, reference, self.places.media_query(&resolve(base, reference)));
        (out != reference).then_some(out)
    }

    /// A folder gets no parameters, a file does.
    fn media_base(&self, base: &str, reference: &str, is_root: bool) -> Option<String> {
        let absolute = resolve(base, reference);
        let is_folder = Parts::of(&absolute).path.ends_with('/');
        let is_relative = !is_root && Parts::of(reference).scheme.is_none() && !reference.starts_with('/') && !reference.contains("..");
        let mapped = match (is_folder, is_relative) {
            (true, true) => return None,
            (false, true) => return self.media(base, reference),
            (true, false) => self.places.map_base(&absolute)?,
            (false, false) => {
                let mut out = String::new();
                append_query(&mut out, &self.places.map_base(&absolute)?, self.places.media_query(&absolute));
                out
            }
        };
        (mapped != reference).then_some(mapped)
    }

    fn content(&mut self, at: Range<usize>) {
        if let Some(element) = self.open.last_mut().filter(|element| is_address(element.name) && element.content.is_empty()) {
            element.content = at;
        }
    }

    fn end(&mut self, tag: &Range<usize>) {
        if self.open.len() == 1 {
            // A root without children.
            self.before_child(b"", tag.start);
        }
        let Some(element) = self.open.pop() else { return };
        if element.is_left_out {
            self.copy_to(element.tag_start);
            self.copied = tag.end;
        }
        if is_address(element.name) {
            self.address(&element);
        }
    }

    /// The address that an element holds as its text.
    fn address(&mut self, element: &Element<'_>) {
        let Some(bytes) = self.text.get(element.content.clone()) else { return };
        let start = element.content.start + bytes.len() - bytes.trim_ascii_start().len();
        let at = start..start + bytes.trim_ascii().len();
        let Some(reference) = self.text.get(at.clone()).and_then(unescape).filter(|reference| !reference.is_empty()) else { return };
        let is_root = self.open.len() == 1;
        let mapped = match element.name {
            b"BaseURL" => {
                if let Some(parent) = self.open.last_mut().filter(|parent| !parent.has_base) {
                    parent.has_base = true;
                    parent.base = resolve(&element.base, &reference);
                }
                self.media_base(&element.base, &reference, is_root)
            }
            b"Location" | b"PatchLocation" => self.places.map(Class::Playlist, Base::of(&element.base), &reference),
            _ => self.places.map(Class::Other, Base::of(&element.base), &reference),
        };
        if let Some(mapped) = mapped.filter(|_| !element.is_left_out) {
            self.replace(at, &mapped);
        }
    }

    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.text.get(self.copied..end).unwrap_or_default());
        self.copied = self.copied.max(end);
    }

    fn replace(&mut self, at: Range<usize>, with: &str) {
        self.copy_to(at.start);
        push_escaped(&mut self.out, with);
        self.copied = at.end;
    }
}

/// Elements whose text is an address.
fn is_address(element: &[u8]) -> bool {
    matches!(element, b"BaseURL" | b"Location" | b"PatchLocation" | b"ContentSteering")
}

/// Writes an element with a text.
fn push_element(out: &mut Vec<u8>, prefix: &[u8], name: &str, attributes: &[(&str, &str)], content: &str) {
    out.push(b'<');
    out.extend_from_slice(prefix);
    out.extend_from_slice(name.as_bytes());
    for (name, value) in attributes {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"=\"");
        push_escaped(out, value);
        out.push(b'"');
    }
    out.push(b'>');
    push_escaped(out, content);
    out.extend_from_slice(b"</");
    out.extend_from_slice(prefix);
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

#[cfg(test)]
mod tests;
