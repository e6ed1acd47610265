use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

/// What points players from a playlist to its steering server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SteeringTag {
    /// The address of the steering server; a path is one of the host that the playlist came from.
    pub server_uri: String,
    /// The pathway to begin with, which is that of the playlist's own addresses.
    pub pathway: String,
    /// DASH: all pathways with the base address of each; HLS gets them from the steering server as clones.
    pub bases: Vec<(String, String)>,
}

/// One way to the media.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pathway {
    /// Its name: letters, digits, `-`, `_`, `.`.
    pub id: String,
    /// The base URL that takes the place of the origin's; ends with a slash.
    pub base: String,
    /// Its part of the viewers that begin; none of any pathway: the first in the list gets all.
    #[serde(default)]
    pub weight: u32,
}

/// What a steering server answers (HLS: Content Steering 1.2, DASH: ETSI TS 103 998).
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub struct SteeringAnswer {
    version: u32,
    /// Seconds until the player asks again.
    ttl: u32,
    #[serde(rename = "RELOAD-URI")]
    reload_uri: String,
    #[serde(rename = "PATHWAY-PRIORITY")]
    priority: Vec<String>,
    #[serde(rename = "PATHWAY-CLONES", skip_serializing_if = "Vec::is_empty")]
    clones: Vec<Clone_>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Clone_ {
    #[serde(rename = "BASE-ID")]
    base_id: String,
    id: String,
    #[serde(rename = "URI-REPLACEMENT")]
    replacement: Replacement,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
struct Replacement {
    host: String,
}

impl SteeringAnswer {
    /// Orders the pathways for a viewer who drew a number below 100 at first and keeps it: the one whose share the number falls
    /// into comes first, the others in the order of the list.
    ///
    /// `clones` is for HLS: pathways that no playlist names, made from the first by another host.
    #[must_use]
    pub fn new(pathways: &[Pathway], ttl_s: u32, reload_uri: String, drawn: u32, clones: bool) -> Self {
        let sum: u64 = pathways.iter().map(|pathway| u64::from(pathway.weight)).sum();
        let point = u64::from(drawn.min(99)) * sum / 100;
        let mut end = 0;
        let first = pathways.iter().position(|pathway| {
            end += u64::from(pathway.weight);
            point < end
        });
        let first = first.unwrap_or(0);
        let order = pathways.get(first).into_iter().chain(pathways.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, p)| p));
        let priority = order.map(|pathway| pathway.id.clone()).collect();
        let base_id = pathways.first().map(|pathway| pathway.id.clone()).unwrap_or_default();
        let host_of = |pathway: &Pathway| crate::Parts::of(&pathway.base).authority.map(String::from);
        let clones = pathways.iter().skip(1).filter(|_| clones).filter_map(|pathway| {
            let replacement = Replacement { host: host_of(pathway)? };
            Some(Clone_ { base_id: base_id.clone(), id: pathway.id.clone(), replacement })
        });
        Self { version: 1, ttl: ttl_s, reload_uri, priority, clones: clones.collect() }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn pathway(id: &str, weight: u32) -> Pathway {
        Pathway { id: id.into(), base: alloc::format!("https://{id}.example:8443/live/"), weight }
    }

    #[test]
    fn viewers_are_divided_by_weight_and_the_rest_is_the_order_to_fall_back() {
        let pathways = [pathway("a", 70), pathway("b", 0), pathway("c", 30)];
        let first = |drawn| SteeringAnswer::new(&pathways, 300, "r".into(), drawn, true).priority;
        assert_eq!(first(0), ["a", "b", "c"]);
        assert_eq!(first(69), ["a", "b", "c"]);
        assert_eq!(first(70), ["c", "a", "b"]);
        assert_eq!(first(500), ["c", "a", "b"]);
        let counts = (0..100).filter(|drawn| first(*drawn)[0] == "a").count();
        assert_eq!(counts, 70);
        let none = [pathway("a", 0), pathway("b", 0)];
        assert_eq!(SteeringAnswer::new(&none, 1, String::new(), 99, false).priority, ["a", "b"]);
    }

    #[test]
    fn the_answer_is_the_json_that_players_read() {
        let answer = SteeringAnswer::new(&[pathway("a", 0), pathway("b", 0)], 300, "/steering/x?drawn=7".into(), 7, true);
        let text = serde_json::to_string(&answer).unwrap();
        let expected = r#"{"VERSION":1,"TTL":300,"RELOAD-URI":"/steering/x?drawn=7","PATHWAY-PRIORITY":["a","b"],"PATHWAY-CLONES":[{"BASE-ID":"a","ID":"b","URI-REPLACEMENT":{"HOST":"b.example:8443"}}]}"#;
        assert_eq!(text, expected);
        let _ = vec![answer];
    }
}
