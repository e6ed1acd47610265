//! The HLS rewriter takes any bytes: with nothing to do it gives them back, and with rules it ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_rewrite::{Ads, Filter, Interstitial, Place, Places, Rules, Start, SteeringTag, hls};

fuzz_target!(|text: &[u8]| {
    assert_eq!(hls(text, &Rules::default(), &Places::default(), None).as_deref(), Ok(text));
    let place = |to: &str| Place { from: "https://o.example/".into(), to: to.into(), query: "t=1".into(), keeps_relative: to.is_empty() };
    let places = Places {
        base: "https://o.example/live/a/x?user=1".into(),
        playlists: vec![place("")],
        media: vec![place("https://cdn.example/")],
        others: Vec::new(),
        absolute: true,
    };
    let lines = |text: &[u8]| text.iter().filter(|b| **b == b'\n').count();
    let moved = hls(text, &Rules::default(), &places, None).unwrap_or_default();
    assert_eq!(lines(&moved), lines(text));
    let interstitial = Interstitial { id: "x".into(), start_ms: Some(1000), asset_uri: Some("u".into()), ..Interstitial::default() };
    let rules = Rules {
        filter: Filter { max_height: Some(720), languages: vec!["en".into()], codecs: vec!["avc1".into()], ..Filter::default() },
        start: Some(Start { max_bps: Some(2_000_000), max_height: None }),
        interstitials: vec![interstitial],
        ads: Ads { asset_list: Some("l?{id}{duration}".into()), cues: true },
        drop_tags: vec!["EXT-X-ALLOW-CACHE".into()],
        add_tags: vec!["#EXT-X-ADDED".into()],
    };
    let tag = SteeringTag { server_uri: "/s".into(), pathway: "a".into(), bases: Vec::new() };
    if let Ok(out) = hls(text, &rules, &places, Some(&tag)) {
        // Every line can bring two others and a longer address, never more.
        assert!(out.len() <= text.len() * 40 + 4096);
    }
});
