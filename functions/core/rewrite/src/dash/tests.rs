use alloc::{string::String, vec, vec::Vec};

use proptest::prelude::*;

use crate::{Error, Filter, Place, Places, Rules, SteeringTag, dash as rewrite};

fn run(text: &str, rules: &Rules, places: &Places, steering: Option<&SteeringTag>) -> String {
    String::from_utf8(rewrite(text.as_bytes(), rules, places, steering).unwrap()).unwrap()
}

fn moving() -> Places {
    let place =
        |to: &str, query: &str| Place { from: "https://o.example/live/".into(), to: to.into(), query: query.into(), keeps_relative: false };
    Places {
        base: "https://o.example/live/a/x.mpd".into(),
        playlists: vec![place("/edge/", "")],
        media: vec![place("https://cdn.example/", "t=1&u=2")],
        others: Vec::new(),
        absolute: true,
    }
}

const MANIFEST: &str = "<?xml version=\"1.0\"?>\r\n<!-- <BaseURL>no</BaseURL> -->\r\n<MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>\n\
  <ProgramInformation><Title>a &amp; b</Title></ProgramInformation>\n\
  <Location>x.mpd</Location>\n\
  <Period id=\"1\">\n\
    <AdaptationSet contentType=\"video\" codecs='avc1.64'>\n\
      <SegmentTemplate media=\"$RepresentationID$/$Number$.m4s\" initialization = 'i.mp4?k=&quot;'/>\n\
      <Representation id=\"hi\" height=\"1080\" bandwidth=\"6000000\"/>\n\
      <Representation id=\"lo\" height=\"360\" bandwidth=\"800000\"><BaseURL> sub/ </BaseURL></Representation>\n\
    </AdaptationSet>\n\
    <AdaptationSet mimeType=\"audio/mp4\" lang=\"en\"><Representation id=\"en\" bandwidth=\"128000\"><BaseURL>en.mp4</BaseURL></Representation></AdaptationSet>\n\
    <AdaptationSet mimeType=\"audio/mp4\" lang=\"de\"><Representation id=\"de\" bandwidth=\"128000\"/></AdaptationSet>\n\
  </Period>\n\
</MPD>\n<!-- end";

#[test]
fn addresses_move_by_way_of_one_base() {
    let out = run(MANIFEST, &Rules::default(), &moving(), None);
    let expected = MANIFEST
        .replace("<Location>x.mpd", "<BaseURL>https://cdn.example/a/</BaseURL><Location>/edge/a/x.mpd")
        .replace("$Number$.m4s", "$Number$.m4s?t=1&amp;u=2")
        .replace("'i.mp4?k=&quot;'", "'i.mp4?k=&quot;&amp;t=1&amp;u=2'")
        .replace(">en.mp4<", ">en.mp4?t=1&amp;u=2<");
    assert_eq!(out, expected);
}

#[test]
fn a_base_of_its_own_is_moved_and_what_leaves_it_becomes_absolute() {
    let text = "<MPD><BaseURL>../b/</BaseURL><Period xlink:href='p.xml'><BaseURL>/live/c/</BaseURL>\
<SegmentList><Initialization sourceURL='https://o.example/live/i.mp4'/><SegmentURL media='../1.m4s'/><SegmentURL media='2.m4s'/></SegmentList></Period></MPD>";
    let expected = "<MPD><BaseURL>https://cdn.example/b/</BaseURL><Period xlink:href='https://o.example/live/b/p.xml'><BaseURL>https://cdn.example/c/</BaseURL>\
<SegmentList><Initialization sourceURL='https://cdn.example/i.mp4?t=1&amp;u=2'/><SegmentURL media='https://cdn.example/1.m4s?t=1&amp;u=2'/><SegmentURL media='2.m4s?t=1&amp;u=2'/></SegmentList></Period></MPD>";
    assert_eq!(run(text, &Rules::default(), &moving(), None), expected);
    let elsewhere = "<MPD><BaseURL>https://else.example/x/</BaseURL><Period><SegmentTemplate media='1.m4s'/></Period></MPD>";
    assert_eq!(run(elsewhere, &Rules::default(), &moving(), None), elsewhere, "other hosts get no parameters");
}

#[test]
fn representations_outside_the_filter_go_and_empty_sets_with_them() {
    let filter = |filter: Filter| Rules { filter, ..Rules::default() };
    let out = run(MANIFEST, &filter(Filter { max_height: Some(720), ..Filter::default() }), &Places::default(), None);
    assert_eq!(out, MANIFEST.replace("\n<Representation id=\"hi\" height=\"1080\" bandwidth=\"6000000\"/>", ""));
    let out = run(MANIFEST, &filter(Filter { languages: vec!["de".into()], ..Filter::default() }), &Places::default(), None);
    assert!(!out.contains("id=\"en\"") && out.contains("id=\"de\"") && out.contains("id=\"hi\""));
    let out = run(MANIFEST, &filter(Filter { languages: vec!["fr".into()], ..Filter::default() }), &Places::default(), None);
    assert_eq!(out, MANIFEST, "some language stays");
    let out = run(MANIFEST, &filter(Filter { max_height: Some(1), ..Filter::default() }), &Places::default(), None);
    assert!(!out.contains("contentType=\"video\"") && out.contains("id=\"en\""));
    let none = filter(Filter { codecs: vec!["av01".into()], ..Filter::default() });
    let video = "<MPD><Period><AdaptationSet><Representation codecs='avc1.64'/></AdaptationSet></Period></MPD>";
    assert_eq!(rewrite(video.as_bytes(), &none, &Places::default(), None), Err(Error::NothingLeft));
}

#[test]
fn steering_brings_a_base_for_each_pathway() {
    let bases = vec![("a".into(), "https://a.example/".into()), ("b".into(), "https://b.example/v/".into())];
    let tag = SteeringTag { server_uri: "https://e.example/steering/x?a&b".into(), pathway: "a".into(), bases };
    let text = "<MPD>\n<BaseURL>https://o.example/live/m/</BaseURL>\n<Period/></MPD>";
    let expected = "<MPD>\n<BaseURL serviceLocation=\"a\">https://a.example/m/</BaseURL><BaseURL serviceLocation=\"b\">https://b.example/v/m/</BaseURL><ContentSteering defaultServiceLocation=\"a\" queryBeforeStart=\"false\">https://e.example/steering/x?a&amp;b</ContentSteering>\n<Period/></MPD>";
    assert_eq!(run(text, &Rules::default(), &moving(), Some(&tag)), expected);
}

#[test]
fn what_is_added_has_the_prefix_of_the_document() {
    let text = "<m:MPD xmlns:m='x'><m:Period/></m:MPD>";
    let expected = "<m:MPD xmlns:m='x'><m:BaseURL>https://cdn.example/a/</m:BaseURL><m:Period/></m:MPD>";
    assert_eq!(run(text, &Rules::default(), &moving(), None), expected);
}

fn any_xml() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "<(MPD|Period|AdaptationSet|Representation|BaseURL|Location|SegmentTemplate|SegmentURL|x:MPD)( (media|height|lang|mimeType|xlink:href|bandwidth)=['\"][a-z0-9/.:&;]{0,9}['\"]){0,2} ?/?>",
        "</(MPD|Period|AdaptationSet|Representation|BaseURL|Location)>",
        "(<!--|-->|<!\\[CDATA\\[|\\]\\]>|<\\?|\\?>|<!DOCTYPE|\\[|\\]|<|>|\"|')",
        "[a-z0-9/.:&; \\n]{0,9}",
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn without_rules_the_output_is_the_input(text in prop_oneof![any_xml(), prop::collection::vec(any::<u8>(), 0..300)]) {
        prop_assert_eq!(&rewrite(&text, &Rules::default(), &Places::default(), None).unwrap(), &text);
    }

    #[test]
    fn any_text_passes_any_rule(text in any_xml(), height in 0..9_u32) {
        let filter = Filter { max_height: Some(height), languages: vec!["a".into()], ..Filter::default() };
        let bases = vec![("a".into(), "https://a.example/".into())];
        let tag = SteeringTag { server_uri: "s".into(), pathway: "a".into(), bases };
        let rules = Rules { filter, ..Rules::default() };
        let _ = rewrite(&text, &rules, &moving(), Some(&tag));
        // A filter only takes away.
        if let Ok(out) = rewrite(&text, &rules, &Places::default(), None) {
            let mut left = text.iter();
            prop_assert!(out.iter().all(|b| left.any(|known| known == b)));
        }
    }
}
