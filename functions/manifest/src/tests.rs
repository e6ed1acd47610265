//! Whole logs run through jobs, against a bucket in memory.

use std::collections::BTreeMap;

use tidegate_function::{Answer, Input, Job as _, Output, Piece, Reach, Request, Waited};
use tidegate_hls::read::{Media, Playlist, parse};
use tidegate_stream::{Msn, SessionId};

use self::world::{START_MS, World};
use super::*;

mod arbitrary;
mod recordings;
mod rules;
mod world;

fn get(address: &str) -> Request {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    Request { method: "GET".to_owned(), path: path.to_owned(), query: query.to_owned(), ..Request::default() }
}

fn at(now_utc_ms: u64) -> tidegate_function::World {
    tidegate_function::World { now_utc_ms, random: [7; 32] }
}

fn status(answer: &Answer) -> u16 {
    match answer {
        Answer::Respond { status, .. } => *status,
        Answer::Wait { .. } => 0,
        Answer::Send { .. } => 200,
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let (Answer::Respond { headers, .. } | Answer::Send { headers, .. }) = answer else { panic!("{answer:?}") };
    headers.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
}

fn text(answer: &Answer) -> &str {
    match answer {
        Answer::Respond { status: 200, body, .. } => std::str::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn media(answer: &Answer) -> Media {
    match parse(text(answer)) {
        Ok(Playlist::Media(media)) => media,
        other => panic!("{other:?}"),
    }
}

/// The segment and the number of parts that a playlist ends with.
fn end(answer: &Answer) -> (u64, usize) {
    let media = media(answer);
    (media.open_msn().0, media.open.map_or(0, |open| open.parts.len()))
}

#[test]
fn a_cold_instance_answers_from_the_head_and_the_records_after_it() {
    let world = World::after(10);
    let mut state = State::new();
    let (answer, reads) = world.run(&mut state, get("/live/demo/index.m3u8"), world.now_ms());
    let session = world.timeline.session().id.to_string();
    assert!(text(&answer).contains(&format!("\n{session}/source.m3u8\n")), "{answer:?}");
    assert_eq!(header(&answer, "content-type"), "application/vnd.apple.mpegurl");
    assert_eq!(header(&answer, "cache-control"), "public, max-age=1");
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    assert_eq!(reads, ["live/demo/current".to_owned(), "meta/streams/demo.json".to_owned(), world.head_key()]);

    let (answer, reads) = world.run(&mut state, get(&world.full("~/source.m3u8")), world.now_ms());
    assert_eq!(end(&answer), (2, 2));
    assert_eq!(reads, [9, 10].map(|n| world.record_key(n)), "the head knows 9 records; the tenth; the next is missing");
    assert_eq!(header(&answer, "cache-control"), "public, max-age=1");

    let (answer, reads) = world.run(&mut state, get(&world.full("~/audio.m3u8")), world.now_ms() + 10);
    assert_eq!(end(&answer), (2, 2));
    assert!(reads.is_empty(), "that nothing newer is there is known for a moment: {reads:?}");

    let answer = world.get(&mut state, "~/index.m3u8");
    assert!(text(&answer).contains("\nsource.m3u8\n"));
    assert_eq!(header(&answer, "cache-control"), "public, max-age=2");
}

#[test]
fn a_host_that_holds_nothing_lists_whole_segments_and_does_not_wait() {
    let world = World::after(10);
    let mut state = State::new();
    for query in ["", "?_HLS_msn=2&_HLS_part=2", "?_HLS_msn=99"] {
        let request = Request { reach: Reach::Segments, ..get(&world.full(&format!("~/source.m3u8{query}"))) };
        let (answer, _) = world.run(&mut state, request, world.now_ms());
        let text = text(&answer);
        assert!(text.ends_with("source/1.m4s\n"), "{text}");
        for tag in ["EXT-X-PART", "BLOCK-RELOAD", "PRELOAD-HINT", "RENDITION-REPORT"] {
            assert!(!text.contains(tag), "{tag} in {text}");
        }
        assert_eq!(header(&answer, "cache-control"), "public, max-age=1");
    }
    let request = Request { reach: Reach::Parts, ..get(&world.full("~/source.m3u8?_HLS_msn=2&_HLS_part=2")) };
    let (answer, _) = world.run(&mut state, request, world.now_ms());
    assert_eq!(end(&answer), (2, 2));
    assert!(!text(&answer).contains("PRELOAD-HINT"));

    // Before the first segment is whole there is nothing that a player could begin with.
    let world = World::after(3);
    let request = Request { reach: Reach::Segments, waited: Some(Waited::Timeout), ..get(&world.full("~/source.m3u8")) };
    assert_eq!(status(&world.run(&mut State::new(), request, world.now_ms()).0), 503);
}

#[test]
fn a_blocking_request_waits_for_the_next_record_and_is_then_answered() {
    let mut world = World::after(10);
    let mut state = State::new();
    let request = get(&world.full("~/source.m3u8?_HLS_msn=2&_HLS_part=2"));
    let (answer, _) = world.run(&mut state, request.clone(), world.now_ms());
    let Answer::Wait { key, expect_ms, timeout_ms } = answer else { panic!("{answer:?}") };
    assert_eq!(key, world.record_key(10));
    assert!((400..=520).contains(&expect_ms), "{expect_ms}");
    assert!(timeout_ms < 1600, "hls.js gives up after 1.6 s");

    world.write_part(false);
    let there = Request { waited: Some(Waited::There), ..request.clone() };
    // Within the moment in which the record was known to be missing.
    let (answer, reads) = world.run(&mut state, there, world.now_ms() - 495);
    assert_eq!(end(&answer), (2, 3));
    assert_eq!(header(&answer, "cache-control"), "public, max-age=12");
    assert_eq!(reads, [world.record_key(10)], "the named state is complete, whatever follows");

    let (answer, reads) = world.run(&mut state, request, world.now_ms());
    assert_eq!((end(&answer), reads.len()), ((2, 3), 0));
}

#[test]
fn a_wait_that_is_not_over_goes_on() {
    let mut world = World::after(10);
    let mut state = State::new();
    let request = Request { waited: Some(Waited::There), ..get(&world.full("~/source.m3u8?_HLS_msn=2")) };
    for records in 11..=12 {
        world.write_part(false);
        let (answer, _) = world.run(&mut state, request.clone(), world.now_ms());
        assert!(matches!(&answer, Answer::Wait { key, .. } if *key == world.record_key(records)), "{answer:?}");
    }
    world.write_part(false);
    assert_eq!(end(&world.run(&mut state, request, world.now_ms()).0), (3, 1));
}

#[test]
fn a_wait_in_vain_is_503_and_asks_to_come_again() {
    let world = World::after(10);
    let request = Request { waited: Some(Waited::Timeout), ..get(&world.full("~/source.m3u8?_HLS_msn=2&_HLS_part=2")) };
    for mut state in [State::new(), State::new()] {
        let (answer, _) = world.run(&mut state, request.clone(), world.now_ms() + 1500);
        assert_eq!((status(&answer), header(&answer, "retry-after")), (503, "1"));
        assert_eq!(header(&answer, "cache-control"), "public, max-age=0");
    }
}

#[test]
fn a_playlist_without_directives_waits_for_the_first_complete_segment() {
    let mut world = World::after(2);
    let mut state = State::new();
    let request = get(&world.full("~/source.m3u8"));
    assert!(matches!(world.run(&mut state, request.clone(), world.now_ms()).0, Answer::Wait { .. }));
    let answer = world.get(&mut state, "~/source.m3u8?_HLS_msn=0&_HLS_part=0");
    assert_eq!(end(&answer), (0, 1), "who names a part gets parts");
    let gave_up = Request { waited: Some(Waited::Timeout), ..request.clone() };
    assert_eq!(end(&world.run(&mut state, gave_up, world.now_ms()).0), (0, 2), "better than nothing");
    (0..3).for_each(|_| world.write_part(false));
    assert_eq!(end(&world.run(&mut state, request, world.now_ms()).0), (1, 1));
}

#[test]
fn directives_that_cannot_be_followed_are_400_with_the_reason() {
    let world = World::after(10);
    for (query, reason) in [
        ("_HLS_part=1", "_HLS_part needs _HLS_msn"),
        ("_HLS_msn=x", "_HLS_msn has to be a decimal number"),
        ("_HLS_msn=5", "segment 5 is too far ahead"),
        ("_HLS_msn=2&_HLS_part=12", "part 12 of segment 2 is too far ahead"),
        ("_HLS_msn=0&_HLS_msn=0", "twice"),
    ] {
        let answer = world.get(&mut State::new(), &format!("~/source.m3u8?{query}"));
        let Answer::Respond { status: 400, body, .. } = &answer else { panic!("{query}: {answer:?}") };
        let body = std::str::from_utf8(body).unwrap();
        assert!(body.contains(reason) && body.lines().count() == 1, "{body}");
    }
    // An instance that knows less reads on before it refuses.
    let mut state = State::new();
    World::after(1).get(&mut state, "~/source.m3u8");
    let late = World::after(22);
    assert_eq!(end(&late.get(&mut state, "~/source.m3u8?_HLS_msn=5&_HLS_part=1")), (5, 2));
}

#[test]
fn the_end_is_the_whole_recording_whatever_is_asked() {
    let mut world = World::after(10);
    world.write_end();
    let mut state = State::new();
    for query in ["", "?_HLS_msn=2&_HLS_part=2", "?_HLS_msn=99", "?_HLS_skip=YES"] {
        let answer = world.get(&mut state, &format!("~/source.m3u8{query}"));
        let list = media(&answer);
        assert!(list.ended && list.segments.len() == 3 && list.open.is_none(), "{query}");
        assert_eq!(header(&answer, "cache-control"), "public, max-age=3600");
    }
    let (_, reads) = world.run(&mut state, get(&world.full("~/source.m3u8")), world.now_ms() + 3_600_000);
    assert!(reads.is_empty(), "nothing follows the end");
}

#[test]
fn a_new_session_is_seen_within_a_second_and_the_old_one_stays() {
    let mut world = World::after(10);
    let mut state = State::new();
    let old = world.timeline.session().id.to_string();
    world.get(&mut state, "/live/demo/index.m3u8");
    world.write_end();
    let mut next = World::new(START_MS + 60_000);
    next.write_part(false);
    let new = next.timeline.session().id.to_string();
    world.objects.extend(next.objects);
    let now_ms = world.now_ms() + 1000;
    let (answer, _) = world.run(&mut state, get("/live/demo/index.m3u8"), now_ms);
    assert!(text(&answer).contains(&new) && !text(&answer).contains(&old));
    assert!(media(&world.run(&mut state, get(&format!("/live/demo/{old}/source.m3u8")), now_ms).0).ended);
}

#[test]
fn segments_and_parts_are_cut_out_of_the_objects_that_hold_them() {
    let mut world = World::after(4 * 12 + 2);
    let mut state = State::new();
    let part = world.get(&mut state, "~/source/12.1.m4s");
    assert_eq!(world.body(&part), "[video 12.1]");
    assert_eq!(header(&part, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&part, "content-type"), "video/mp4");
    let recent = world.get(&mut state, "~/audio/11.m4s");
    assert_eq!(world.body(&recent), "[audio 11.0][audio 11.1][audio 11.2][audio 11.3]");
    assert_eq!(header(&recent, "content-type"), "audio/mp4");
    assert!(matches!(&recent, Answer::Send { pieces, .. } if pieces.len() == 4));
    let old = world.get(&mut state, "~/audio/2.m4s");
    assert_eq!(world.body(&old), "[audio 2.0][audio 2.1][audio 2.2][audio 2.3]");
    assert!(matches!(&old, Answer::Send { pieces, .. } if pieces.len() == 1 && pieces[0].key.contains("/seg/")));

    // After the end, records are deleted.
    world.write_end();
    let late = world.now_ms() + 60_000;
    let answer = world.run(&mut State::new(), get(&world.full("~/source/12.m4s")), late).0;
    assert!(matches!(&answer, Answer::Send { pieces, .. } if pieces.len() == 1 && pieces[0].key.contains("/seg/")));
    assert_eq!(world.body(&answer), "[video 12.0][video 12.1]");
}

fn write_document(world: &mut World, title: &str) {
    let document = format!("{{\"id\":\"demo\",\"title\":\"{title}\",\"tags\":[\"a\",\"b\"]}}");
    world.objects.insert("meta/streams/demo.json".to_owned(), document.into_bytes());
}

#[test]
fn what_is_said_about_a_stream_is_seen_within_five_seconds() {
    let mut world = World::after(10);
    let mut state = State::new();
    write_document(&mut world, "First");
    let answer = world.get(&mut state, "~/index.m3u8");
    assert!(text(&answer).contains("DATA-ID=\"com.tidegate.title\",VALUE=\"First\"") && text(&answer).contains("VALUE=\"a, b\""));
    write_document(&mut world, "Second");
    let (answer, _) = world.run(&mut state, get(&world.full("~/index.m3u8")), world.now_ms() + 2600);
    assert!(text(&answer).contains("Second"));
    assert_eq!(header(&answer, "cache-control"), "public, max-age=2");
    // A document that does not read changes nothing.
    world.objects.insert("meta/streams/demo.json".to_owned(), b"{".to_vec());
    let (answer, _) = world.run(&mut state, get(&world.full("~/index.m3u8")), world.now_ms() + 9000);
    assert!(text(&answer).contains("Second"));
}

#[test]
fn a_known_stream_that_is_not_live_is_503_which_players_ask_again() {
    let mut world = World::after(1);
    world.objects.clear();
    assert_eq!(status(&world.get(&mut State::new(), "/live/demo/index.m3u8")), 404);
    write_document(&mut world, "Soon");
    for address in ["/live/demo/index.m3u8", "/live/demo/manifest.mpd"] {
        let answer = world.get(&mut State::new(), address);
        assert_eq!((status(&answer), header(&answer, "retry-after")), (503, "1"));
    }
}

#[test]
fn key_frames_have_a_playlist_of_their_own() {
    let world = World::after(4 * 3 + 2);
    let mut state = State::new();
    let list = media(&world.get(&mut state, "~/source.iframes.m3u8"));
    assert!(list.i_frames_only && list.segments.len() == 3 && list.open.is_none());
    let segment = &list.segments[1];
    assert_eq!((segment.uri.as_str(), segment.byte_range.map(|range| (range.offset, range.length))), ("source/1.m4s", Some((0, 6))));
    let (answer, _) = world.run(&mut state, get(&world.full("~/source.iframes.m3u8?_HLS_msn=3")), world.now_ms());
    assert!(matches!(answer, Answer::Wait { .. }), "waits for the next key frame as for a segment: {answer:?}");
    let multivariant = world.get(&mut state, "~/index.m3u8");
    assert!(text(&multivariant).contains("URI=\"source.iframes.m3u8\""));
    assert!(!text(&multivariant).contains("audio.iframes"));
}

#[test]
fn init_segments_are_sent_as_they_are() {
    let world = World::after(1);
    let (answer, reads) = world.run(&mut State::new(), get(&world.full("~/init/source/0101010101010101.mp4")), 0);
    let (stream, session) = world.names();
    let key = format!("live/{stream}/{session}/init/source/0101010101010101.mp4");
    assert!(matches!(&answer, Answer::Send { pieces, .. } if *pieces == [Piece { key, range: None }]));
    assert!(reads.is_empty());
}

#[test]
fn playlists_are_sent_first_then_sound_and_the_lowest_picture() {
    let world = World::after(10);
    let mut state = State::new();
    let urgencies: Vec<_> = ["~/index.m3u8", "~/source.m3u8", "~/audio/1.m4s", "~/source/1.m4s", "~/source/2.1.m4s"]
        .map(|address| header(&world.get(&mut state, address), "priority").to_owned())
        .into();
    assert_eq!(urgencies, ["u=1", "u=1", "u=2", "u=2", "u=2"]);
    let rungs: Vec<_> = (0..7).map(|below| answer::Urgency::of_rung(below).0).collect();
    assert!(rungs.is_sorted() && rungs.first() == Some(&"u=2") && rungs.last() == Some(&"u=6"), "{rungs:?}");
}

#[test]
fn a_hinted_part_is_waited_for_and_404_when_it_never_comes() {
    let mut world = World::after(10);
    let mut state = State::new();
    let request = get(&world.full("~/source/2.2.m4s"));
    let (answer, _) = world.run(&mut state, request.clone(), world.now_ms());
    assert!(matches!(&answer, Answer::Wait { key, .. } if *key == world.record_key(10)), "{answer:?}");
    let gave_up = Request { waited: Some(Waited::Timeout), ..request.clone() };
    assert_eq!(status(&world.run(&mut state, gave_up, world.now_ms()).0), 503, "it is late, and may yet come");

    let mut cut = World::after(10);
    cut.write_part(true);
    let there = Request { waited: Some(Waited::There), ..request };
    assert_eq!(status(&cut.run(&mut state, there.clone(), world.now_ms()).0), 404, "the segment ended before it");
    world.write_part(false);
    let (answer, _) = world.run(&mut State::new(), there, world.now_ms());
    assert_eq!(world.body(&answer), "[video 2.2]");
    for (ahead, waits) in [("2.3", true), ("2.5", true), ("2.6", false)] {
        let answer = world.get(&mut State::new(), &format!("~/source/{ahead}.m4s"));
        assert_eq!(matches!(answer, Answer::Wait { .. }), waits, "an MPD announces parts that are some way off: {ahead}");
    }
    assert_eq!(status(&world.get(&mut State::new(), "~/source/3.1.m4s")), 404, "not the next one");
    assert!(matches!(world.get(&mut State::new(), "~/source/3.0.m4s"), Answer::Wait { .. }), "the segment may end here");
}

#[test]
fn media_that_another_instance_has_just_listed_is_not_denied() {
    let mut world = World::after(9);
    let mut state = State::new();
    // This instance has just seen that record 9 is not there, …
    let now_ms = world.now_ms();
    assert!(matches!(world.run(&mut state, get(&world.full("~/source/2.1.m4s")), now_ms).0, Answer::Wait { .. }));
    // … and within the same moment another one lists part 2.1 and hints 2.2, …
    world.write_part(false);
    let request = get(&world.full("~/audio/2.2.m4s"));
    assert!(matches!(world.run(&mut state, request, now_ms + 1).0, Answer::Wait { .. }));
    // … and at last the whole segment.
    (0..3).for_each(|_| world.write_part(false));
    let (answer, _) = world.run(&mut state, get(&world.full("~/audio/2.m4s")), now_ms + 2);
    assert_eq!(world.body(&answer), "[audio 2.0][audio 2.1][audio 2.2][audio 2.3]");
}

#[test]
fn what_is_not_there_is_404_with_the_reason() {
    let world = World::after(10);
    let other = SessionId::new(1, 1);
    for (address, reason) in [
        ("/live/nobody/index.m3u8".to_owned(), "nothing was published as nobody yet"),
        (format!("/live/demo/{other}/source.m3u8"), "demo has no session"),
        ("~/nothing.m3u8".to_owned(), "the session has no rendition nothing"),
        ("~/nothing/1.m4s".to_owned(), "the session has no rendition nothing"),
        ("~/source/2.m4s".to_owned(), "segment 2 is not complete yet"),
        ("~/source/99.m4s".to_owned(), "segment 99 is not complete yet"),
        ("~/source/1.7.m4s".to_owned(), "segment 1 has no part 7"),
        ("/favicon.ico".to_owned(), "this is no address"),
        ("/live/demo/%2e%2e/index.m3u8".to_owned(), "this is no address"),
    ] {
        let answer = world.get(&mut State::new(), &address);
        let Answer::Respond { status: 404, body, .. } = &answer else { panic!("{address}: {answer:?}") };
        let body = std::str::from_utf8(body).unwrap();
        assert!(body.contains(reason) && body.lines().count() == 1, "{address}: {body}");
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        let comes = reason.contains("segment 2 is not complete yet");
        assert_eq!(header(&answer, "cache-control"), if comes { "public, max-age=0" } else { "public, max-age=1" });
    }
}

#[test]
fn methods_other_than_reading_are_refused() {
    let world = World::after(1);
    let request = |method: &str| Request { method: method.to_owned(), ..get("/live/demo/index.m3u8") };
    let (answer, _) = world.run(&mut State::new(), request("POST"), 0);
    assert_eq!((status(&answer), header(&answer, "allow")), (405, "GET, HEAD, OPTIONS"));
    let (answer, _) = world.run(&mut State::new(), request("OPTIONS"), 0);
    assert_eq!((status(&answer), header(&answer, "access-control-allow-methods")), (204, "GET, HEAD, OPTIONS"));
    let (answer, _) = world.run(&mut State::new(), request("HEAD"), world.now_ms());
    assert_eq!(status(&answer), 200);
}

#[test]
fn a_store_that_fails_is_503_where_nothing_is_known_and_unseen_where_something_is() {
    let mut world = World::after(10);
    let mut state = State::new();
    world.get(&mut state, "/live/demo/index.m3u8");
    world.get(&mut state, "~/source.m3u8");
    world.broken = true;
    for address in ["/live/demo/index.m3u8", "~/source.m3u8", "~/source/1.m4s", "~/source/1.1.m4s"] {
        let answer = world.get(&mut State::new(), address);
        assert_eq!((status(&answer), header(&answer, "retry-after")), (503, "1"), "{address}");
        let known = world.run(&mut state, get(&world.full(address)), world.now_ms() + 1500).0;
        assert_eq!(status(&known), 200, "{address}");
    }
    // What does not change is good for ever; a live playlist that may be old is not sent as one.
    for (address, expected) in [("/live/demo/index.m3u8", 200), ("~/source.m3u8", 503), ("~/source/1.m4s", 200), ("~/source/1.1.m4s", 200)]
    {
        let known = world.run(&mut state, get(&world.full(address)), world.now_ms() + 5000).0;
        assert_eq!(status(&known), expected, "{address}");
    }
    world.broken = false;
    assert_eq!(status(&world.get(&mut State::new(), "~/source.m3u8")), 200);
}

#[test]
fn damaged_objects_are_not_shown_and_lead_to_no_5xx_but_where_the_start_is_damaged() {
    let good = World::after(10);
    for key in [good.head_key(), good.record_key(9)] {
        for damage in [&b""[..], b"TGH1", b"TGR1\xff\xff\xff\xff", b"<html>"] {
            let mut world = World::after(10);
            world.objects.insert(key.clone(), damage.to_vec());
            let answer = world.get(&mut State::new(), "~/source.m3u8");
            if key == good.head_key() {
                assert_eq!(status(&answer), 404);
            } else {
                assert_eq!(end(&answer), (2, 1), "up to the damage");
            }
        }
    }
    let mut world = World::after(10);
    world.objects.insert("live/demo/current".to_owned(), b"{}".to_vec());
    assert_eq!(status(&world.get(&mut State::new(), "/live/demo/index.m3u8")), 503);
}

#[test]
fn a_wait_for_a_record_that_was_changed_is_503_and_not_a_wait_that_is_over_at_once() {
    let mut world = World::after(10);
    let mut state = State::new();
    let request = get(&world.full("~/source.m3u8?_HLS_msn=2&_HLS_part=2"));
    let (answer, _) = world.run(&mut state, request.clone(), world.now_ms());
    assert!(matches!(answer, Answer::Wait { .. }));
    world.objects.insert(world.record_key(10), b"no record".to_vec());
    let there = Request { waited: Some(Waited::There), ..request };
    let (answer, _) = world.run(&mut state, there, world.now_ms() + 500);
    assert_eq!(status(&answer), 503);
}

#[test]
fn a_chapter_that_is_gone_shortens_the_past() {
    let mut world = World::after(4 * 150);
    let mut state = State::new();
    let answer = world.get(&mut state, "~/source.m3u8");
    assert_eq!(media(&answer).segments.len(), 149);
    world.objects.retain(|key, _| !key.ends_with("/chapter/0000000000"));
    let list = media(&world.get(&mut State::new(), "~/source.m3u8"));
    assert_eq!((list.media_sequence, list.segments.len()), (Msn(64), 149 - 64));
}

#[test]
fn two_jobs_at_a_time_read_the_same_and_both_are_answered() {
    let world = World::after(10);
    let mut state = State::new();
    let mut jobs = [Job::new(get(&world.full("~/source.m3u8"))), Job::new(get(&world.full("~/audio.m3u8")))];
    let mut answers = [None, None];
    for _ in 0..20 {
        let polled: Vec<Output> = jobs.iter_mut().map(|job| job.poll(&mut state, &at(world.now_ms()))).collect();
        for (n, output) in polled.into_iter().enumerate() {
            match output {
                Output::Answer(answer) => answers[n] = Some(answer),
                Output::Fetch { key, range, .. } => {
                    let fetched = Input::Fetched(world.fetch(&key, range));
                    jobs[n].handle(&mut state, &at(world.now_ms()), fetched);
                }
                other @ (Output::Store { .. } | Output::Delete { .. } | Output::Load { .. }) => panic!("{other:?}"),
            }
        }
    }
    for answer in answers {
        assert_eq!(end(&answer.expect("an answer")), (2, 2));
    }
}

#[test]
fn every_instance_gives_the_same_bytes_for_the_same_part() {
    let mut world = World::after(0);
    let mut old = State::new();
    let mut given: BTreeMap<String, String> = BTreeMap::new();
    for records in 1..=100u64 {
        world.write_part(records % 7 == 0);
        let last = world.timeline.last().unwrap();
        for back in 0..9 {
            let Some(number) = (records - 1).checked_sub(back) else { continue };
            let mut at = world
                .timeline
                .segments()
                .iter()
                .flat_map(|segment| segment.parts.iter().enumerate().map(move |(n, part)| (segment.msn, n, part)));
            let Some((msn, part, _)) = at.find(|(.., part)| part.record.0 == number) else { continue };
            if msn.0 + 2 < last.msn.0 {
                continue;
            }
            for query in ["", "&_HLS_skip=YES"] {
                let address = format!("~/audio.m3u8?_HLS_msn={msn}&_HLS_part={part}{query}");
                for state in [&mut old, &mut State::new()] {
                    let answer = world.get(state, &address);
                    let body = text(&answer).to_owned();
                    assert_eq!(header(&answer, "cache-control"), "public, max-age=12");
                    let first = given.entry(address.clone()).or_insert_with(|| body.clone());
                    assert_eq!(*first, body, "{address}");
                }
            }
        }
    }
    assert!(given.len() > 150);
}

#[test]
fn a_viewer_that_follows_the_hints_misses_nothing() {
    let mut world = World::after(5);
    let mut state = State::new();
    let (mut msn, mut part) = end(&world.get(&mut state, "~/source.m3u8"));
    let mut seen = Vec::new();
    for records in 6..60u64 {
        let request = get(&world.full(&format!("~/source.m3u8?_HLS_msn={msn}&_HLS_part={part}")));
        let (answer, _) = world.run(&mut state, request.clone(), world.now_ms());
        assert!(matches!(answer, Answer::Wait { .. }), "{answer:?}");
        world.write_part(records % 10 == 0);
        let there = Request { waited: Some(Waited::There), ..request };
        let list = media(&world.run(&mut state, there, world.now_ms()).0);
        let open = list.open.unwrap();
        let uri = &open.parts.last().unwrap().uri;
        seen.push(world.body(&world.get(&mut state, &format!("~/{uri}"))));
        (msn, part) = (open.msn.0, open.parts.len());
    }
    let written: Vec<String> = world.media.values().map(|tracks| String::from_utf8(tracks[0].clone()).unwrap()).collect();
    assert!(written.concat().ends_with(&seen.concat()));
}
