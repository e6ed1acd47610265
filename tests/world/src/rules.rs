//! What has to hold of everything that is served, whatever goes wrong.

use std::collections::{BTreeMap, HashMap, HashSet};

use tidegate_hls::read::{Media, Playlist, parse};
use tidegate_validate::{Severity, check_text};

use crate::edge::Reply;

/// Remembers all that was served, and what of it contradicts the rest.
#[derive(Debug, Default)]
pub struct Rules {
    /// What was broken first.
    pub broken: Option<String>,
    /// From this segment on somebody has changed the log by hand: edges that have read it before know another one.
    pub rewritten: Option<u64>,
    /// Bodies of media by address; they never change.
    media: HashMap<String, u64>,
    /// Texts of playlists that name their state.
    named: HashMap<String, u64>,
    /// The newest address of those that name a state.
    pub newest_named: Option<String>,
    lists: BTreeMap<String, List>,
    /// Texts that were looked at, by address.
    looked_at: HashSet<(u64, u64)>,
    /// What was checked.
    pub playlists: u64,
    /// …
    pub bodies: u64,
    /// Parts that were listed as gaps, and parts listed in all, by rendition.
    pub parts: BTreeMap<String, BTreeMap<(u64, usize), Listed>>,
}

/// A part as it was listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    uri: String,
    duration_us: u64,
    /// It was a gap.
    pub gap: bool,
}

#[derive(Debug, Default)]
struct List {
    target_s: Option<u32>,
    part_target_us: Option<u64>,
    segments: BTreeMap<u64, (u64, String, bool, Option<i64>)>,
    discontinuities: BTreeMap<u64, u64>,
}

impl Rules {
    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds && self.broken.is_none() {
            self.broken = Some(what());
        }
    }

    /// Looks at an answer.
    pub fn reply(&mut self, now: i64, address: &str, reply: &Reply) {
        let path = address.split('?').next().unwrap_or(address);
        if reply.status != 200 {
            return;
        }
        let sum = fnv(&reply.body);
        if !path.ends_with(".m3u8") {
            self.bodies += 1;
            let name = path.rsplit('/').next().and_then(|name| name.split('.').next()?.parse::<u64>().ok());
            if name.zip(self.rewritten).is_some_and(|(msn, from)| msn >= from) {
                return;
            }
            let known = *self.media.entry(address.to_owned()).or_insert(sum);
            return self.must(known == sum, || format!("{address} has changed"));
        }
        self.playlists += 1;
        let Ok(text) = std::str::from_utf8(&reply.body) else { return self.must(false, || format!("{address} is no text")) };
        let msn = address.split_once("_HLS_msn=").and_then(|(_, rest)| rest.split('&').next()?.parse::<u64>().ok());
        let rewritten = msn.zip(self.rewritten).is_some_and(|(msn, from)| msn >= from);
        if reply.keep == "public, max-age=12" && msn.is_some() && !rewritten {
            if !self.named.contains_key(address) {
                self.newest_named = Some(address.to_owned());
            }
            let known = *self.named.entry(address.to_owned()).or_insert(sum);
            self.must(known == sum, || format!("{address} has two answers, the second at {now}:\n{text}"));
        }
        // What was served before to the byte has nothing new to say.
        if !self.looked_at.insert((fnv(path.as_bytes()), sum)) {
            return;
        }
        let media = match parse(text) {
            Ok(Playlist::Media(media)) => media,
            Ok(Playlist::Multivariant(_)) => return self.text(address, &reply.body, text),
            Err(error) => return self.must(false, || format!("{address}: {error}\n{text}")),
        };
        self.text(address, &reply.body, text);
        self.list(path, &media, text);
    }

    /// The rules of the validator, but for what somebody has changed by hand.
    fn text(&mut self, address: &str, body: &[u8], text: &str) {
        let fault = check_text(body).into_iter().find(|fault| fault.rule.level.severity() == Severity::Error);
        if let Some(fault) = fault.filter(|_| self.rewritten.is_none()) {
            self.must(false, || format!("{address}: {} at line {}: {}\n{text}", fault.rule.id, fault.line, fault.seen));
        }
    }

    fn list(&mut self, path: &str, media: &Media, text: &str) {
        let mut list = self.lists.remove(path).unwrap_or_default();
        let target_s = *list.target_s.get_or_insert(media.target_duration_s);
        self.must(target_s == media.target_duration_s, || format!("{path}: the target duration has changed"));
        if let Some(part_target_us) = media.part_target_us {
            let known = *list.part_target_us.get_or_insert(part_target_us);
            self.must(known == part_target_us, || format!("{path}: the part target has changed"));
        }
        let part_target_us = media.part_target_us.unwrap_or(u64::MAX);
        let mut parts = self.parts.remove(path).unwrap_or_default();
        let mut utc_us: Option<i64> = None;
        for segment in media.segments.iter().chain(&media.open) {
            let msn = segment.msn.0;
            for (index, part) in segment.parts.iter().enumerate() {
                self.must(part.duration_us <= part_target_us + 1000, || format!("{path}: part {msn}.{index} is too long\n{text}"));
                let now = Listed { uri: part.uri.clone(), duration_us: part.duration_us, gap: part.gap };
                let known = parts.entry((msn, index)).or_insert_with(|| now.clone()).clone();
                let rewritten = self.rewritten.is_some_and(|from| msn >= from);
                self.must(known == now || rewritten, || format!("{path}: part {msn}.{index} was {known:?} and is {now:?}"));
            }
            if let Some(at) = segment.program_date_time_us {
                // Who had read what was removed goes on with another history than who has written it once more.
                let rewritten = self.rewritten.is_some_and(|from| msn > from);
                self.must(rewritten || utc_us.is_none_or(|before| at >= before), || format!("{path}: the date goes back at {msn}\n{text}"));
                utc_us = Some(at);
            }
            if media.open.as_ref().is_some_and(|open| open.msn == segment.msn) && !media.ended {
                continue;
            }
            if self.rewritten.is_some_and(|from| msn >= from) {
                continue;
            }
            let rounded = segment.duration_us.saturating_add(500_000) / 1_000_000;
            self.must(rounded <= u64::from(target_s), || format!("{path}: segment {msn} is too long\n{text}"));
            // A delta does not say how many discontinuities it leaves out.
            if media.skip.is_none() {
                let now = segment.discontinuity_sequence;
                let known = *list.discontinuities.entry(msn).or_insert(now);
                self.must(known == now, || format!("{path}: segment {msn} had the discontinuity sequence {known} and has {now}"));
            }
            let entry = (segment.duration_us, segment.uri.clone(), segment.gap, segment.program_date_time_us);
            let known = list.segments.entry(msn).or_insert_with(|| entry.clone()).clone();
            self.must(known == entry, || format!("{path}: segment {msn} was {known:?} and is {entry:?}"));
        }
        self.parts.insert(path.to_owned(), parts);
        self.lists.insert(path.to_owned(), list);
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01B3))
}
