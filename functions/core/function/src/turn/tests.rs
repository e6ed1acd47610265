use alloc::{borrow::Cow, string::String, vec};

use super::*;
use crate::{Answer, Condition, Output, Piece};

fn world() -> World {
    World { now_utc_ms: 1_764_000_000_123, random: [7; 32] }
}

fn turns() -> Vec<Turn> {
    let request = Request {
        method: "POST".into(),
        path: "/live/a/b.m3u8".into(),
        query: "_HLS_msn=1".into(),
        headers: vec![("cookie".into(), "a=b".into()), ("x".into(), String::new())],
        body: b"body".to_vec(),
        waited: Some(Waited::Timeout),
        reach: Reach::Segments,
    };
    let etag = || Some("\"e\"".into());
    let inputs = [
        Input::Fetched(Fetched::Missing),
        Input::Fetched(Fetched::Failed),
        Input::Fetched(Fetched::Got { bytes: b"object".to_vec(), etag: None, age_ms: Some(1500) }),
        Input::Fetched(Fetched::Got { bytes: Vec::new(), etag: etag(), age_ms: None }),
        Input::Stored(Stored::Done { etag: None }),
        Input::Stored(Stored::Done { etag: etag() }),
        Input::Stored(Stored::Conflict),
        Input::Stored(Stored::Failed),
        Input::Loaded(Loaded::Got { status: 302, headers: vec![("location".into(), "/x".into())], body: b"moved".to_vec() }),
        Input::Loaded(Loaded::TooLarge),
        Input::Loaded(Loaded::Denied),
        Input::Loaded(Loaded::Failed),
    ];
    let begins = [Request { waited: None, ..Request::default() }, Request { waited: Some(Waited::There), ..request.clone() }, request];
    let begins = begins.map(|request| Turn::Begin { call: 1, world: world(), request });
    let goes = inputs.map(|input| Turn::Go { call: u32::MAX, world: world(), input });
    begins.into_iter().chain(goes).chain([Turn::Forget { call: 3 }]).collect()
}

fn outputs() -> Vec<Output> {
    let headers = || vec![("content-type", Cow::Borrowed("text/plain")), ("cache-control", Cow::Owned("max-age=1".into()))];
    let store = |condition| Output::Store { key: "meta/a".into(), body: b"{}".to_vec(), content_type: "application/json", condition };
    let piece = |range| Piece { key: "live/a/log/1".into(), range };
    vec![
        Output::Fetch { key: "live/a/head".into(), range: None, fresh: true, ahead: Vec::new() },
        Output::Fetch {
            key: "live/a/head".into(),
            range: Some((0, u64::MAX)),
            fresh: false,
            ahead: vec!["live/b/head".into(), "a".into()],
        },
        store(Condition::None),
        store(Condition::Absent),
        store(Condition::Match("\"e\"".into())),
        Output::Delete { key: "meta/a".into() },
        Output::Load { url: "http://a/".into(), headers: vec![("x".into(), "y".into())], max_bytes: 8 << 20, timeout_ms: 10_000 },
        Output::Answer(Answer::Respond { status: 404, headers: headers(), body: b"none".to_vec() }),
        Output::Answer(Answer::Wait { key: "live/a/log/2".into(), expect_ms: 1, timeout_ms: 2 }),
        Output::Answer(Answer::Send { pieces: vec![piece(None), piece(Some((3, 3)))], headers: headers() }),
    ]
}

/// An output as the host reads it, made without bytes between.
fn said(output: &Output) -> Said<'_> {
    match output {
        Output::Fetch { key, range, fresh, ahead } => {
            Said::Fetch { key, range: *range, fresh: *fresh, ahead: ahead.iter().map(String::as_str).collect() }
        }
        Output::Store { key, body, content_type, condition } => Said::Store { key, content_type, condition: condition.clone(), body },
        Output::Delete { key } => Said::Delete { key },
        Output::Load { url, headers, max_bytes, timeout_ms } => {
            let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Said::Load { url, headers, max_bytes: *max_bytes, timeout_ms: *timeout_ms }
        }
        Output::Answer(Answer::Respond { status, headers, body }) => {
            Said::Respond { status: *status, headers: headers.iter().map(|(name, value)| (*name, value.as_ref())).collect(), body }
        }
        Output::Answer(Answer::Wait { key, expect_ms, timeout_ms }) => Said::Wait { key, expect_ms: *expect_ms, timeout_ms: *timeout_ms },
        Output::Answer(Answer::Send { pieces, headers }) => Said::Send {
            pieces: pieces.iter().map(|piece| (piece.key.as_str(), piece.range)).collect(),
            headers: headers.iter().map(|(name, value)| (*name, value.as_ref())).collect(),
        },
    }
}

#[test]
fn every_turn_reads_as_it_was_written() {
    for turn in turns() {
        assert_eq!(Turn::read(turn.write()).as_ref(), Some(&turn));
    }
}

#[test]
fn every_output_reads_as_it_was_said() {
    for output in outputs() {
        assert_eq!(Said::read(&output.say()), Some(said(&output)));
    }
}

#[test]
fn messages_that_are_cut_or_changed_are_read_or_refused_and_never_more() {
    let messages = turns().iter().map(Turn::write).chain(outputs().iter().map(Output::say)).collect::<Vec<_>>();
    for message in messages {
        for at in 0..message.len() {
            let cut = message[..at].to_vec();
            // A body may be cut: whoever carries the bytes keeps their number.
            let _ = (Said::read(&cut).is_some(), Turn::read(cut).is_some());
            for change in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = message.clone();
                changed[at] = change;
                let _ = (Said::read(&changed).is_some(), Turn::read(changed).is_some());
            }
        }
    }
    assert_eq!(Turn::read(Vec::new()), None);
    assert_eq!(Said::read(&[]), None);
}

#[test]
fn a_claimed_length_is_no_reason_to_allocate() {
    // A list of 4 billion headers that are not there.
    let mut message = vec![7];
    message.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Said::read(&message), None);
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let output = Output::Fetch { key: "a".into(), range: Some((5, 4)), fresh: false, ahead: Vec::new() };
    assert_eq!(Said::read(&output.say()), None);
}
