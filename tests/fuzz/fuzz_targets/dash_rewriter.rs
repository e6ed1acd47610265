//! The DASH rewriter takes any bytes: with nothing to do it gives them back, and with rules it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_rewrite::{Filter, Place, Places, Rules, SteeringTag, dash, sniff};

fuzz_target!(|text: &[u8]| {
    assert_eq!(dash(text, &Rules::default(), &Places::default(), None).as_deref(), Ok(text));
    let _ = sniff(text);
    let place = |to: &str| Place { from: "https://o.example/".into(), to: to.into(), query: "t=1&u=2".into(), keeps_relative: false };
    let places = Places {
        base: "https://o.example/live/a/x.mpd".into(),
        playlists: vec![place("/edge/")],
        media: vec![place("https://cdn.example/")],
        others: Vec::new(),
        absolute: true,
    };
    let _ = dash(text, &Rules::default(), &places, None);
    let filter = Filter { max_height: Some(720), languages: vec!["en".into()], codecs: vec!["avc1".into()], ..Filter::default() };
    let rules = Rules { filter, ..Rules::default() };
    if let Ok(out) = dash(text, &rules, &Places::default(), None) {
        let mut left = text.iter();
        assert!(out.iter().all(|b| left.any(|known| known == b)), "a filter only takes away");
    }
    let bases = vec![("a".into(), "https://a.example/".into()), ("b".into(), "https://b.example/".into())];
    let _ = dash(text, &rules, &places, Some(&SteeringTag { server_uri: "/s".into(), pathway: "a".into(), bases }));
});
