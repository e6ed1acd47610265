//! A multivariant playlist by itself.

use alloc::{collections::BTreeSet, format, vec::Vec};

use crate::{
    read::{Faults, Multivariant, Rendition, Variant, shown},
    rules,
};

/// Sizes are even numbers, so ratios differ a little.
const ASPECT_PER_MILLE: u64 = 20;

/// Checks a multivariant playlist.
pub(crate) fn multivariant(list: &Multivariant, faults: &mut Faults) {
    for variant in &list.variants {
        one(list, variant, faults);
    }
    let video: Vec<&Variant> = list.variants.iter().filter(|variant| variant.has_video()).collect();
    if !video.is_empty() && list.i_frames.is_empty() {
        faults.add(rules::MV_I_FRAMES, 0, "no EXT-X-I-FRAME-STREAM-INF");
    }
    if let [only] = video.as_slice() {
        faults.add(rules::MV_SEVERAL, only.line, "one variant with video");
    }
    let captions = |variant: &&Variant| variant.no_captions;
    if let Some(other) = list.variants.iter().find(|variant| !variant.no_captions).filter(|_| list.variants.iter().any(|v| captions(&v))) {
        faults.add(rules::MV_CAPTIONS, other.line, "not said here, but elsewhere");
    }
    if let Some(other) = list.variants.iter().find(|variant| !variant.score).filter(|_| list.variants.iter().any(|variant| variant.score)) {
        faults.add(rules::MV_SCORE, other.line, "no SCORE here, but elsewhere");
    }
    aspects(&video, faults);
    for rendition in &list.renditions {
        media(rendition, faults);
    }
    groups(list, faults);
    for i_frames in &list.i_frames {
        for (there, rule, name) in
            [(i_frames.codecs, rules::MV_CODECS, "CODECS"), (i_frames.resolution, rules::MV_RESOLUTION, "RESOLUTION")]
        {
            if !there {
                faults.add(rule, i_frames.line, format!("EXT-X-I-FRAME-STREAM-INF has no {name}"));
            }
        }
    }
}

fn one(list: &Multivariant, variant: &Variant, faults: &mut Faults) {
    let uri = shown(&variant.uri);
    if variant.codecs.is_none() {
        faults.add(rules::MV_CODECS, variant.line, format!("{uri} has no CODECS"));
    }
    if variant.has_video() && variant.codecs.is_some() {
        if variant.resolution.is_none() {
            faults.add(rules::MV_RESOLUTION, variant.line, format!("{uri} has no RESOLUTION"));
        }
        if !variant.frame_rate {
            faults.add(rules::MV_FRAME_RATE, variant.line, format!("{uri} has no FRAME-RATE"));
        }
    }
    if variant.average_bps.is_none() {
        faults.add(rules::MV_AVERAGE, variant.line, format!("{uri} has no AVERAGE-BANDWIDTH"));
    }
    for (kind, group) in &variant.groups {
        if !list.renditions.iter().any(|rendition| rendition.kind == *kind && rendition.group == *group) {
            faults.add(rules::MV_GROUP, variant.line, format!("no EXT-X-MEDIA of TYPE={kind} has GROUP-ID=\"{}\"", shown(group)));
        }
    }
}

fn aspects(video: &[&Variant], faults: &mut Faults) {
    let mut sized =
        video.iter().filter_map(|variant| Some((variant, variant.resolution.filter(|(width, height)| *width > 0 && *height > 0)?)));
    let Some((_, (width, height))) = sized.next() else { return };
    let ratio = |width: u32, height: u32| u64::from(width) * 1000 * 1000 / u64::from(height);
    let first = ratio(width, height);
    if let Some((other, (w, h))) = sized.find(|(_, (w, h))| ratio(*w, *h).abs_diff(first) > first / 1000 * ASPECT_PER_MILLE) {
        faults.add(rules::MV_ASPECT, other.line, format!("{w}x{h} beside {width}x{height}"));
    }
}

fn media(rendition: &Rendition, faults: &mut Faults) {
    let mut fault = |seen: &str| faults.add(rules::MV_MEDIA, rendition.line, format!("{} {}", shown(&rendition.kind), seen));
    match rendition.kind.as_str() {
        "SUBTITLES" if rendition.uri.is_none() => fault("without URI"),
        "CLOSED-CAPTIONS" => {
            if rendition.uri.is_some() {
                fault("with URI");
            }
            if !rendition.instream {
                fault("without INSTREAM-ID");
            }
        }
        _ => {}
    }
    if rendition.kind != "CLOSED-CAPTIONS" && rendition.instream && rendition.kind != "AUDIO" {
        faults.add(rules::MV_MEDIA, rendition.line, format!("{} with INSTREAM-ID", shown(&rendition.kind)));
    }
    if !rendition.language && rendition.kind != "VIDEO" {
        faults.add(rules::MV_LANGUAGE, rendition.line, format!("{} `{}` has no LANGUAGE", shown(&rendition.kind), shown(&rendition.name)));
    }
    if rendition.default && rendition.autoselect == Some(false) {
        faults.add(rules::MV_MEDIA_GROUP, rendition.line, "DEFAULT=YES with AUTOSELECT=NO");
    }
}

fn groups(list: &Multivariant, faults: &mut Faults) {
    let mut names = BTreeSet::new();
    let mut defaults = BTreeSet::new();
    for rendition in &list.renditions {
        let group = (&rendition.kind, &rendition.group);
        if !names.insert((group, &rendition.name)) {
            faults.add(rules::MV_MEDIA_GROUP, rendition.line, format!("a second `{}` in the group", shown(&rendition.name)));
        }
        if rendition.default && !defaults.insert(group) {
            faults.add(rules::MV_MEDIA_GROUP, rendition.line, "a second DEFAULT=YES in the group");
        }
    }
}
