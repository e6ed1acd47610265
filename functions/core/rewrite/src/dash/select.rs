//! Which elements of a manifest are left out.
use alloc::{string::String, vec::Vec};
use core::ops::Range;

use super::xml::{Piece, Pieces, attributes, local, unescape};
use crate::{Error, filter::Facts, rules::Filter};

/// Elements in elements: manifests need ten.
pub(super) const DEPTH: usize = 64;

#[derive(Default)]
struct Set {
    period: usize,
    whole: Range<usize>,
    facts: Owned,
    kind: String,
    passes_language: bool,
    /// Each representation, and whether it stays.
    representations: Vec<(Range<usize>, bool)>,
}

#[derive(Clone, Default)]
struct Owned {
    height: Option<u32>,
    bps: Option<u64>,
    codecs: Option<String>,
    language: Option<String>,
    kind: Option<String>,
}

/// The stretches of the document to leave out, in order and apart from each other.
pub(super) fn select(text: &[u8], filter: &Filter) -> Result<Vec<Range<usize>>, Error> {
    if !filter.has_renditions() && filter.languages.is_empty() {
        return Ok(Vec::new());
    }
    let mut sets = sets(text, filter);
    let had: usize = sets.iter().map(|set| set.representations.len()).sum();
    keep_a_language(&mut sets);
    let mut drops = Vec::new();
    let mut left = 0;
    for set in &sets {
        let stays = set.representations.iter().filter(|(_, stays)| *stays).count();
        if !set.passes_language || (stays == 0 && !set.representations.is_empty()) {
            drops.push(with_indent(text, &set.whole));
            continue;
        }
        left += stays;
        drops.extend(set.representations.iter().filter(|(_, stays)| !stays).map(|(whole, _)| with_indent(text, whole)));
    }
    if had > 0 && left == 0 {
        return Err(Error::NothingLeft);
    }
    Ok(drops)
}

fn sets(text: &[u8], filter: &Filter) -> Vec<Set> {
    let mut sets: Vec<Set> = Vec::new();
    let mut open: Vec<(&[u8], usize)> = Vec::new();
    let mut period = 0;
    // A set ends with its element; outside of one, representations are nobody's.
    let mut set: Option<Set> = None;
    let mut representation: Option<(usize, bool)> = None;
    for piece in Pieces::new(text) {
        match piece {
            Piece::Start { tag, name, is_empty } => {
                let element = local(text.get(name.clone()).unwrap_or_default());
                let start = tag.start;
                match element {
                    b"Period" => period += 1,
                    b"AdaptationSet" if set.is_none() => {
                        let facts = owned(text, tag.clone(), &name);
                        let passes_language = filter.passes_language(facts.language.as_deref());
                        let kind = facts.kind.clone().unwrap_or_default();
                        set = Some(Set { period, whole: start..tag.end, facts, kind, passes_language, ..Set::default() });
                    }
                    b"Representation" => {
                        if let Some(set) = &mut set {
                            let own = owned(text, tag.clone(), &name);
                            if set.kind.is_empty() {
                                set.kind = own.kind.unwrap_or_default();
                            }
                            let facts = Facts {
                                height: own.height.or(set.facts.height),
                                bps: own.bps,
                                codecs: own.codecs.as_deref().or(set.facts.codecs.as_deref()),
                            };
                            let stays = match set.kind.as_str() {
                                // Limits are for what is large.
                                "audio" | "text" | "application" => filter.passes(&Facts { bps: None, height: None, ..facts }),
                                _ => filter.passes(&facts),
                            };
                            if is_empty {
                                set.representations.push((tag.clone(), stays));
                            } else {
                                representation = Some((start, stays));
                            }
                        }
                    }
                    _ => {}
                }
                if !is_empty {
                    if open.len() == DEPTH {
                        return Vec::new();
                    }
                    open.push((element, start));
                } else if element == b"AdaptationSet" {
                    sets.extend(set.take());
                }
            }
            Piece::End { tag } => {
                let Some((element, _)) = open.pop() else { return Vec::new() };
                match element {
                    b"Representation" => {
                        if let (Some(set), Some((start, stays))) = (&mut set, representation.take()) {
                            set.representations.push((start..tag.end, stays));
                        }
                    }
                    b"AdaptationSet" => {
                        if let Some(mut set) = set.take() {
                            set.whole.end = tag.end;
                            sets.push(set);
                        }
                    }
                    _ => {}
                }
            }
            Piece::Text(_) | Piece::Other => {}
        }
    }
    sets
}

/// In each period, of each kind, some language stays.
fn keep_a_language(sets: &mut [Set]) {
    let kept: Vec<(usize, String)> = sets.iter().filter(|set| set.passes_language).map(|set| (set.period, set.kind.clone())).collect();
    for set in sets {
        set.passes_language |= set.kind == "video" || !kept.iter().any(|(period, kind)| *period == set.period && *kind == set.kind);
    }
}

fn owned(text: &[u8], tag: Range<usize>, name: &Range<usize>) -> Owned {
    let mut facts = Owned::default();
    for attribute in attributes(text, tag, name) {
        let Some(value) = text.get(attribute.at).and_then(unescape) else { continue };
        match attribute.name {
            b"height" => facts.height = value.trim().parse().ok(),
            b"bandwidth" => facts.bps = value.trim().parse().ok(),
            b"codecs" => facts.codecs = Some(value.into_owned()),
            b"lang" => facts.language = Some(value.into_owned()),
            b"contentType" => facts.kind = Some(value.into_owned()),
            b"mimeType" if facts.kind.is_none() => facts.kind = value.split('/').next().map(String::from),
            _ => {}
        }
    }
    facts
}

/// An element with the line break and the blanks in front of it.
fn with_indent(text: &[u8], whole: &Range<usize>) -> Range<usize> {
    let before = text.get(..whole.start).unwrap_or_default();
    let trimmed = before.trim_ascii_end().len();
    let indent = before.get(trimmed..).unwrap_or_default();
    let line = indent.iter().rposition(|b| *b == b'\n').map(|at| trimmed + at);
    let start = line.map_or(whole.start, |at| if at > 0 && text.get(at - 1) == Some(&b'\r') { at - 1 } else { at });
    start.min(whole.start)..whole.end
}
