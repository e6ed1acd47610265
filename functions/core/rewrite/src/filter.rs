use crate::rules::{Filter, Start};

/// What a playlist says of a rendition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) height: Option<u32>,
    pub(crate) bps: Option<u64>,
    /// Between commas.
    pub(crate) codecs: Option<&'a str>,
}

impl Filter {
    pub(crate) fn has_renditions(&self) -> bool {
        self.min_height.is_some()
            || self.max_height.is_some()
            || self.min_bps.is_some()
            || self.max_bps.is_some()
            || !self.codecs.is_empty()
    }

    pub(crate) fn passes(&self, facts: &Facts<'_>) -> bool {
        let within = |value: Option<u64>, min: Option<u64>, max: Option<u64>| {
            value.is_none_or(|value| min.is_none_or(|min| value >= min) && max.is_none_or(|max| value <= max))
        };
        within(facts.height.map(u64::from), self.min_height.map(u64::from), self.max_height.map(u64::from))
            && within(facts.bps, self.min_bps, self.max_bps)
            && self.passes_codecs(facts.codecs)
    }

    /// For trick play, which lies below every lower limit.
    pub(crate) fn passes_upwards(&self, facts: &Facts<'_>) -> bool {
        let height = facts.height.is_none_or(|height| self.max_height.is_none_or(|max| height <= max));
        let bps = facts.bps.is_none_or(|bps| self.max_bps.is_none_or(|max| bps <= max));
        height && bps && self.passes_codecs(facts.codecs)
    }

    fn passes_codecs(&self, codecs: Option<&str>) -> bool {
        let Some(codecs) = codecs.filter(|_| !self.codecs.is_empty()) else { return true };
        codecs
            .split(',')
            .map(str::trim)
            .filter(|codec| !codec.is_empty())
            .all(|codec| self.codecs.iter().any(|known| codec.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))))
    }

    pub(crate) fn passes_language(&self, language: Option<&str>) -> bool {
        let Some(language) = language.filter(|_| !self.languages.is_empty()) else { return true };
        self.languages.iter().any(|known| {
            language.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
                && matches!(language.as_bytes().get(known.len()), None | Some(b'-'))
        })
    }
}

impl Start {
    pub(crate) fn allows(&self, facts: &Facts<'_>) -> bool {
        let height = self.max_height.is_none_or(|max| facts.height.is_none_or(|height| height <= max));
        height && self.max_bps.is_none_or(|max| facts.bps.is_none_or(|bps| bps <= max))
    }
}

/// `1280x720`: 720.
pub(crate) fn height(resolution: &str) -> Option<u32> {
    resolution.split_once(['x', 'X'])?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn what_is_not_said_excludes_nothing() {
        let filter = Filter { min_height: Some(300), max_bps: Some(5), codecs: vec!["avc1".into(), "mp4a".into()], ..Filter::default() };
        assert!(filter.passes(&Facts::default()));
        assert!(filter.passes(&Facts { height: Some(300), bps: Some(5), codecs: Some("avc1.64, MP4A.40.2,") }));
        assert!(!filter.passes(&Facts { codecs: Some("avc1.64,ec-3"), ..Facts::default() }));
        assert!(!filter.passes(&Facts { height: Some(299), ..Facts::default() }));
        assert!(filter.passes_upwards(&Facts { height: Some(299), ..Facts::default() }));
        assert!(!filter.passes_upwards(&Facts { bps: Some(6), ..Facts::default() }));
    }

    #[test]
    fn languages_fit_their_regions() {
        let filter = Filter { languages: vec!["en".into()], ..Filter::default() };
        for (language, passes) in [(None, true), (Some("en"), true), (Some("EN-gb"), true), (Some("eng"), false), (Some("de"), false)] {
            assert_eq!(filter.passes_language(language), passes, "{language:?}");
        }
    }
}
