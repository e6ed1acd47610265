//! Which lines of a multivariant playlist stay, and in which order.
use alloc::vec::Vec;
use core::ops::Range;

use super::line::{Line, Lines};
use crate::{
    Error, Rules,
    attribute::attributes,
    filter::{Facts, height},
    rules::Filter,
};

/// A variant: its tag and its address, with whatever stands between them.
struct Variant<'a> {
    facts: Facts<'a>,
    tag: Range<usize>,
    /// None: the playlist broke off.
    address: Option<Range<usize>>,
    stays: bool,
}

/// A rendition that the language filter does not let through.
struct Foreign<'a> {
    group: Group<'a>,
    line: Range<usize>,
}

type Group<'a> = (&'a [u8], &'a [u8]);

/// The stretches of the text to write, in their order.
pub(super) fn select(text: &[u8], rules: &Rules) -> Result<Vec<Range<usize>>, Error> {
    let filter = &rules.filter;
    if !filter.has_renditions() && filter.languages.is_empty() && rules.start.is_none() {
        let all = 0..text.len();
        return Ok(Vec::from([all]));
    }
    let mut variants: Vec<Variant<'_>> = Vec::new();
    let mut drops: Vec<Range<usize>> = Vec::new();
    let mut foreign: Vec<Foreign<'_>> = Vec::new();
    let mut kept_groups: Vec<Group<'_>> = Vec::new();
    for line in Lines::new(text) {
        let whole = line.start..line.next;
        match line.tag() {
            b"EXT-X-STREAM-INF" => {
                let facts = facts(&line);
                variants.push(Variant { facts, tag: whole, address: None, stays: filter.passes(&facts) });
            }
            b"EXT-X-I-FRAME-STREAM-INF" | b"EXT-X-IMAGE-STREAM-INF" if !filter.passes_upwards(&facts(&line)) => drops.push(whole),
            b"EXT-X-MEDIA" if !filter.languages.is_empty() => {
                let (group, passes) = language(&line, filter);
                if passes { kept_groups.push(group) } else { foreign.push(Foreign { group, line: whole }) }
            }
            b"" if line.is_address() => {
                if let Some(variant) = variants.last_mut().filter(|variant| variant.address.is_none()) {
                    variant.address = Some(whole);
                }
            }
            _ => {}
        }
    }
    if !variants.is_empty() && variants.iter().all(|variant| !variant.stays) {
        return Err(Error::NothingLeft);
    }
    drops.extend(foreign.into_iter().filter(|rendition| kept_groups.contains(&rendition.group)).map(|rendition| rendition.line));
    for variant in variants.iter().filter(|variant| !variant.stays) {
        drops.push(variant.tag.clone());
        drops.extend(variant.address.clone());
    }
    drops.sort_unstable_by_key(|drop| drop.start);
    variants.retain(|variant| variant.stays);

    let moved = first_variant(&variants, rules);
    let mut pieces = Vec::new();
    match moved {
        None => push_without(&mut pieces, 0..text.len(), &drops),
        Some((block, to)) => {
            push_without(&mut pieces, 0..to, &drops);
            push_without(&mut pieces, block.clone(), &drops);
            push_without(&mut pieces, to..block.start, &drops);
            push_without(&mut pieces, block.end..text.len(), &drops);
        }
    }
    Ok(pieces)
}

/// The variant that is to come first, and where that is; `None` if it does already.
fn first_variant(variants: &[Variant<'_>], rules: &Rules) -> Option<(Range<usize>, usize)> {
    let start = rules.start?;
    let rate = |at: &usize| variants.get(*at).map_or(0, |variant| variant.facts.bps.unwrap_or(0));
    let complete = || (0..variants.len()).filter(|at| variants.get(*at).is_some_and(|variant| variant.address.is_some()));
    let allowed = complete().filter(|at| variants.get(*at).is_some_and(|variant| start.allows(&variant.facts)));
    // Of equals the first: they differ in what the author put in front, as the pathway.
    let best = allowed.rev().max_by_key(rate).or_else(|| complete().min_by_key(rate))?;
    let (first, chosen) = (variants.first()?, variants.get(best)?);
    (best > 0).then_some((chosen.tag.start..chosen.address.as_ref()?.end, first.tag.start))
}

/// What is left of a stretch without the lines to drop.
fn push_without(pieces: &mut Vec<Range<usize>>, stretch: Range<usize>, drops: &[Range<usize>]) {
    let mut at = stretch.start;
    for drop in drops.iter().filter(|drop| drop.start >= stretch.start && drop.end <= stretch.end) {
        if drop.start > at {
            pieces.push(at..drop.start);
        }
        at = at.max(drop.end);
    }
    if at < stretch.end {
        pieces.push(at..stretch.end);
    }
}

fn facts<'a>(line: &Line<'a>) -> Facts<'a> {
    let mut facts = Facts::default();
    for attribute in attributes(line.content, line.list()) {
        match attribute.name {
            b"BANDWIDTH" => facts.bps = attribute.number(),
            b"RESOLUTION" => facts.height = attribute.text().and_then(height),
            b"CODECS" => facts.codecs = attribute.text(),
            _ => {}
        }
    }
    facts
}

/// The group of a rendition, and whether its language passes. Video comes in angles, not in languages.
fn language<'a>(line: &Line<'a>, filter: &Filter) -> (Group<'a>, bool) {
    let (mut kind, mut group, mut language) = (&b""[..], &b""[..], None);
    for attribute in attributes(line.content, line.list()) {
        match attribute.name {
            b"TYPE" => kind = attribute.value,
            b"GROUP-ID" => group = attribute.value,
            b"LANGUAGE" => language = attribute.text(),
            _ => {}
        }
    }
    ((kind, group), kind == b"VIDEO" || filter.passes_language(language))
}
