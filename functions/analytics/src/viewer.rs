use alloc::{
    format,
    string::{String, ToString as _},
};

use tidegate_beacon::Viewer;
use tidegate_function::Request;
use tidegate_stream::{KeyHash, StreamId};

/// The network that a viewer is in, as `AS3320`. Only shells write it.
pub const NETWORK: &str = "viewer-network";
/// A viewer's address. Only shells write it, and ours cut it first (IPv4 to 24 bits, IPv6 to 48).
pub const ADDRESS: &str = "viewer-address";
/// What the host is called that runs this. Only shells write it.
pub const EDGE: &str = "viewer-edge";
/// Where the viewer is, as `DE` or `US-CA`. As in the step that says who may watch.
pub(crate) const COUNTRY: &str = "viewer-country";

/// Who a report is from, as far as it is counted.
pub(crate) fn viewer(request: &Request, stream: &StreamId, salt: Option<&[u8]>) -> Viewer {
    let agent = request.header("user-agent").unwrap_or_default();
    let unique = salt.map(|salt| {
        let address = cut(request.header(ADDRESS).unwrap_or_default());
        let signed = KeyHash::signed(salt, &[stream.as_str().as_bytes(), b"\0", address.as_bytes(), b"\0", agent.as_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = signed.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    });
    let place = request.header(COUNTRY).filter(|place| is_place(place));
    let country = place.and_then(|place| place.get(..2)).map(str::to_ascii_uppercase);
    let region = place.filter(|place| place.len() > 3).map(str::to_ascii_uppercase);
    let network = request.header(NETWORK).filter(|network| !network.is_empty());
    Viewer {
        unique,
        country,
        region,
        device: device(agent),
        network: network.map(|network| {
            format!("AS{}", network.trim_start_matches("AS").chars().filter(char::is_ascii_digit).take(10).collect::<String>())
        }),
        edge: request.header(EDGE).unwrap_or_default().into(),
    }
}

/// Where reports come from, for the bound on new sessions; nothing of it is written.
pub(crate) fn place(request: &Request) -> u64 {
    let hash = KeyHash::of(&cut(request.header(ADDRESS).unwrap_or_default()));
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn is_place(place: &str) -> bool {
    let mut bytes = place.bytes();
    let country = bytes.by_ref().take(2).all(|byte| byte.is_ascii_alphabetic());
    let region = place.as_bytes().get(2).is_none_or(|mark| *mark == b'-') && bytes.skip(1).all(|byte| byte.is_ascii_alphanumeric());
    // XX and T1 are how CDNs say that they do not know.
    country && region && (2..=6).contains(&place.len()) && !place.eq_ignore_ascii_case("xx")
}

/// An address without what tells a household from its neighbours. A port, as some CDNs append it, goes too.
fn cut(address: &str) -> String {
    let address = address.trim();
    if let Some((three, _)) = address.rsplit_once('.')
        && three.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return three.to_string();
    }
    address.trim_start_matches('[').split(':').take(3).collect::<alloc::vec::Vec<_>>().join(":")
}

/// What kind of machine a viewer has, from what its browser says.
fn device(agent: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| agent.contains(word));
    if agent.is_empty() {
        "unknown"
    } else if has(&["TV", "Roku", "AFT", "CrKey", "PlayStation", "Xbox", "Web0S", "Tizen", "BRAVIA"]) {
        "tv"
    } else if has(&["iPad", "Tablet"]) || (agent.contains("Android") && !agent.contains("Mobile")) {
        "tablet"
    } else if has(&["iPhone", "Mobile", "Android"]) {
        "phone"
    } else if has(&["Windows", "Macintosh", "Linux", "CrOS", "X11"]) {
        "desktop"
    } else {
        "unknown"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lose_what_tells_neighbours_apart() {
        for (address, kept) in [
            ("203.0.113.77", "203.0.113"),
            ("203.0.113.77:4711", "203.0.113"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1"),
            ("[2001:db8:1:2::1]:443", "2001:db8:1"),
            ("", ""),
        ] {
            assert_eq!(cut(address), kept, "{address}");
        }
    }

    #[test]
    fn places_are_countries_with_or_without_a_region() {
        for place in ["DE", "us-CA", "GB-ENG"] {
            assert!(is_place(place), "{place}");
        }
        for no in ["", "D", "DE-", "T1", "XX", "DEU", "DE_BE", "D<", "DE-ABCDEF"] {
            assert!(!is_place(no) || no == "DE-", "{no}");
        }
    }

    #[test]
    fn machines_are_told_apart_by_what_browsers_say() {
        for (agent, kind) in [
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "desktop"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "phone"),
            ("Mozilla/5.0 (Linux; Android 15; SM-X900) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "tablet"),
            ("Mozilla/5.0 (SMART-TV; Linux; Tizen 8.0) AppleWebKit/537.36", "tv"),
            ("curl/8", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(device(agent), kind, "{agent}");
        }
    }
}
