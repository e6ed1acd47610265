//! Clips, and sessions as presentations of DASH.

use super::*;

#[test]
fn a_clip_is_a_recording_once_it_is_complete_and_the_same_for_everybody() {
    let mut world = World::after(4 * 10 + 2);
    let mut state = State::new();
    let multivariant = world.get(&mut state, "~/index.m3u8?start=5&end=11.5");
    let query = "start=2026-09-21T14:13:25.000Z&end=2026-09-21T14:13:31.500Z";
    assert!(text(&multivariant).contains(&format!("\nsource.m3u8?{query}\n")), "{}", text(&multivariant));
    let clip = world.get(&mut state, &format!("~/source.m3u8?{query}"));
    let list = media(&clip);
    assert!(list.ended && list.playlist_type == Some(tidegate_hls::read::PlaylistType::Vod) && list.open.is_none());
    let numbers: Vec<u64> = list.segments.iter().map(|segment| segment.msn.0).collect();
    assert_eq!((numbers, list.start), (vec![2, 3, 4, 5], Some((1_000_000, true))));
    assert_eq!(header(&clip, "cache-control"), "public, max-age=3600");
    (0..40).for_each(|_| world.write_part(false));
    assert_eq!(text(&world.get(&mut State::new(), &format!("~/source.m3u8?{query}&_HLS_msn=7"))), text(&clip));
    world.write_end();
    assert_eq!(text(&world.get(&mut State::new(), &format!("~/source.m3u8?{query}"))), text(&clip));
}

#[test]
fn a_clip_without_an_end_grows_and_can_be_waited_for() {
    let mut world = World::after(4 * 4 + 2);
    let mut state = State::new();
    let answer = world.get(&mut state, "~/source.m3u8?start=4");
    let list = media(&answer);
    assert!(!list.ended && list.playlist_type == Some(tidegate_hls::read::PlaylistType::Event));
    assert_eq!((list.media_sequence, end(&answer)), (Msn(2), (4, 2)));
    let request = get(&world.full("~/source.m3u8?start=4&_HLS_msn=4&_HLS_part=2"));
    assert!(matches!(world.run(&mut state, request.clone(), world.now_ms()).0, Answer::Wait { .. }));
    world.write_part(false);
    let there = Request { waited: Some(Waited::There), ..request };
    assert_eq!(end(&world.run(&mut state, there, world.now_ms()).0), (4, 3));
    // With an end that has not come yet it grows up to there.
    assert!(!media(&world.get(&mut state, "~/source.m3u8?start=4&end=11")).ended);
    (0..6).for_each(|_| world.write_part(false));
    let list = media(&world.get(&mut state, "~/source.m3u8?start=4&end=11"));
    assert!(list.ended && list.segments.last().is_some_and(|last| last.msn == Msn(5)));
}

#[test]
fn a_stretch_that_is_not_there_is_404_and_one_that_makes_no_sense_400() {
    let world = World::after(4 * 4 + 2);
    for (query, expected) in [("start=99", 404), ("start=5&end=4", 400), ("start=x", 400), ("end=1&end=2", 400), ("start=", 400)] {
        assert_eq!(status(&world.get(&mut State::new(), &format!("~/source.m3u8?{query}"))), expected, "{query}");
    }
    // Only the session tells that this ends before it begins.
    for playlist in ["~/index.m3u8", "~/source.m3u8"] {
        assert_eq!(status(&world.get(&mut State::new(), &format!("{playlist}?start=2026-09-21T14:13:25Z&end=3.5"))), 400);
    }
}

#[test]
fn dash_players_get_the_same_session() {
    let mut world = World::after(4 * 3 + 2);
    let mut state = State::new();
    let session = world.timeline.session().id.to_string();
    let answer = world.get(&mut state, "/live/demo/manifest.mpd");
    assert!(text(&answer).contains(&format!("<BaseURL>{session}/</BaseURL>")) && text(&answer).contains("r=\"2\""));
    assert_eq!((header(&answer, "content-type"), header(&answer, "cache-control")), ("application/dash+xml", "public, max-age=1"));
    assert!(text(&world.get(&mut state, "~/low-latency.mpd")).contains("$SubNumber$"));
    world.write_end();
    let answer = world.get(&mut State::new(), "~/manifest.mpd");
    assert!(text(&answer).contains("type=\"static\""));
    assert_eq!(header(&answer, "cache-control"), "public, max-age=3600");
    let time = world.get(&mut state, "/time");
    assert!(text(&time).starts_with("2026-09-21T14:13:") && header(&time, "cache-control") == "no-store");
}

#[test]
fn a_clip_is_a_presentation_too() {
    let mut world = World::after(4 * 10 + 2);
    let mut state = State::new();
    let clip = world.get(&mut state, "~/manifest.mpd?start=5&end=11.5");
    assert!(text(&clip).contains("type=\"static\" mediaPresentationDuration=\"PT8S\""), "{}", text(&clip));
    assert!(text(&clip).contains("startNumber=\"2\"") && header(&clip, "cache-control") == "public, max-age=3600");
    let growing = world.get(&mut state, "/live/demo/low-latency.mpd?start=5");
    assert!(text(&growing).contains("type=\"dynamic\"") && header(&growing, "cache-control") == "public, max-age=1");
    (0..40).for_each(|_| world.write_part(false));
    assert_eq!(text(&world.get(&mut State::new(), "~/manifest.mpd?start=5&end=11.5")), text(&clip));
    for (query, expected) in [("start=99", 404), ("start=5&end=4", 400), ("start=x", 400), ("start=2026-09-21T14:13:25Z&end=3.5", 400)] {
        assert_eq!(status(&world.get(&mut State::new(), &format!("~/manifest.mpd?{query}"))), expected, "{query}");
    }
}
