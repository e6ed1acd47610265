use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// What an owner wants changed in the playlists of an origin. Each field changes what it names and nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Which renditions viewers get.
    pub filter: Filter,
    /// HLS: which variant comes first, since players begin with it. DASH has no such order.
    pub start: Option<Start>,
    /// HLS: breaks to put into media playlists.
    pub interstitials: Vec<Interstitial>,
    /// HLS: what to make of SCTE-35 date ranges.
    pub ads: Ads,
    /// HLS: tags to leave out, as `EXT-X-ALLOW-CACHE`.
    pub drop_tags: Vec<String>,
    /// HLS: lines to add after the first, as `#EXT-X-INDEPENDENT-SEGMENTS`.
    pub add_tags: Vec<String>,
}

/// Which renditions viewers get. What a playlist does not say about a rendition never excludes it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Pictures with fewer lines are left out.
    pub min_height: Option<u32>,
    /// Pictures with more lines are left out.
    pub max_height: Option<u32>,
    /// Variants below this peak rate, in bits per second, are left out.
    pub min_bps: Option<u64>,
    /// Variants above this peak rate, in bits per second, are left out.
    pub max_bps: Option<u64>,
    /// Beginnings of codec names, as `avc1`: a variant with another codec is left out. None: all are welcome.
    pub codecs: Vec<String>,
    /// Languages, as `en` (which `en-GB` fits too): audio and subtitles in others are left out, but never the last of a group.
    pub languages: Vec<String>,
}

/// The variant that comes first: the best one within both limits, or the smallest if none is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Start {
    /// At most this many lines.
    pub max_height: Option<u32>,
    /// At most this peak rate, in bits per second.
    pub max_bps: Option<u64>,
}

/// A break that players show in place of the stream (`com.apple.hls.interstitial`).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Interstitial {
    /// Names the break within the playlist.
    pub id: String,
    /// When it begins, as `2026-11-25T20:00:00Z`.
    pub start_date: Option<String>,
    /// When it begins, in ms from the first segment of a recording.
    pub start_ms: Option<u32>,
    /// The playlist to show.
    pub asset_uri: Option<String>,
    /// A JSON list of playlists to show.
    pub asset_list: Option<String>,
    /// How long the break is, in ms, where that is known.
    pub duration_ms: Option<u32>,
    /// Where the stream goes on, in ms from the beginning of the break; none: where it would have been by then.
    pub resume_offset_ms: Option<u32>,
    /// What the viewer may not do: `SKIP`, `JUMP`.
    pub restrict: Vec<String>,
    /// Which ends lie on segments: `OUT`, `IN`.
    pub snap: Vec<String>,
    /// `PRE`, `POST`, `ONCE`.
    pub cue: Vec<String>,
}

/// What becomes of a date range with SCTE35-OUT.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ads {
    /// Puts an interstitial beside it, with this asset list; `{id}` and `{duration}` (in s) stand for those of the break.
    pub asset_list: Option<String>,
    /// Puts EXT-X-CUE-OUT, -CONT and -IN before its segments, for players and ad servers that know only these.
    pub cues: bool,
}

/// Why rules cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRules {
    /// A text would end its attribute or its line.
    #[error("{0} may hold no quotation marks and no line ends")]
    Text(&'static str),
    /// A tag to add that is none.
    #[error("a tag to add begins with #EXT")]
    NoTag,
    /// Without this tag the rest is no playlist, or another one.
    #[error("this tag cannot be left out")]
    Essential,
    /// An interstitial needs an id, one start and one asset.
    #[error("an interstitial has an id, a start_date or a start_ms, and an asset_uri or an asset_list")]
    Interstitial,
    /// Not a date.
    #[error("start_date is written as 2026-11-25T20:00:00Z")]
    Date,
    /// More than a playlist should carry.
    #[error("there may be at most {MOST} of each")]
    TooMany,
}

/// Interstitials, tags, codecs, languages: of each at most this many.
const MOST: usize = 64;

/// Tags whose lines carry what follows them.
const ESSENTIAL: [&str; 8] =
    ["EXTM3U", "EXTINF", "EXT-X-STREAM-INF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-BYTERANGE", "EXT-X-MAP", "EXT-X-SKIP"];

impl Rules {
    /// Whether the rules can be used; they are an owner's, so what is wrong is said.
    pub fn check(&self) -> Result<(), BadRules> {
        let Filter { codecs, languages, .. } = &self.filter;
        if [self.interstitials.len(), self.drop_tags.len(), self.add_tags.len(), codecs.len(), languages.len()].iter().any(|n| *n > MOST) {
            return Err(BadRules::TooMany);
        }
        for tag in &self.drop_tags {
            if ESSENTIAL.contains(&tag.as_str()) {
                return Err(BadRules::Essential);
            }
        }
        for tag in &self.add_tags {
            if !tag.starts_with("#EXT") {
                return Err(BadRules::NoTag);
            }
            if tag.contains(['\n', '\r']) {
                return Err(BadRules::Text("a tag to add"));
            }
        }
        if self.ads.asset_list.as_deref().is_some_and(breaks_out) {
            return Err(BadRules::Text("asset_list"));
        }
        self.interstitials.iter().try_for_each(Interstitial::check)
    }

    /// Whether nothing is to be changed in a media playlist, beside addresses and tags.
    pub(crate) fn leaves_segments(&self) -> bool {
        self.interstitials.is_empty() && self.ads == Ads::default()
    }
}

impl Interstitial {
    fn check(&self) -> Result<(), BadRules> {
        let one = |a: bool, b: bool| a != b;
        if self.id.is_empty()
            || !one(self.start_date.is_some(), self.start_ms.is_some())
            || !one(self.asset_uri.is_some(), self.asset_list.is_some())
        {
            return Err(BadRules::Interstitial);
        }
        if self.start_date.as_deref().is_some_and(|date| crate::date::parse(date).is_none()) {
            return Err(BadRules::Date);
        }
        let words = self.restrict.iter().chain(&self.snap).chain(&self.cue);
        let texts = [Some(&self.id), self.asset_uri.as_ref(), self.asset_list.as_ref(), self.start_date.as_ref()];
        if texts.into_iter().flatten().chain(words).any(|text| breaks_out(text)) {
            return Err(BadRules::Text("an interstitial"));
        }
        Ok(())
    }
}

fn breaks_out(text: &str) -> bool {
    text.contains(['"', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn rules_that_would_break_a_playlist_are_refused() {
        let rules = |json: &str| serde_json::from_str::<Rules>(json).unwrap();
        assert_eq!(rules("{}").check(), Ok(()));
        assert_eq!(rules(r#"{"drop_tags":["EXTINF"]}"#).check(), Err(BadRules::Essential));
        assert_eq!(rules(r#"{"add_tags":["EXT-X-A"]}"#).check(), Err(BadRules::NoTag));
        assert_eq!(rules(r##"{"add_tags":["#EXT-X-A\nhttp://x"]}"##).check(), Err(BadRules::Text("a tag to add")));
        assert_eq!(rules(r#"{"interstitials":[{"id":"a","start_ms":1}]}"#).check(), Err(BadRules::Interstitial));
        assert_eq!(rules(r#"{"interstitials":[{"id":"a","start_date":"x","asset_uri":"u"}]}"#).check(), Err(BadRules::Date));
        assert_eq!(
            rules(r#"{"interstitials":[{"id":"a\"b","start_ms":0,"asset_uri":"u"}]}"#).check(),
            Err(BadRules::Text("an interstitial"))
        );
        let many = Rules { drop_tags: vec!["EXT-X-A".into(); MOST + 1], ..Rules::default() };
        assert_eq!(many.check(), Err(BadRules::TooMany));
        assert!(serde_json::from_str::<Rules>(r#"{"filters":{}}"#).is_err());
    }
}
