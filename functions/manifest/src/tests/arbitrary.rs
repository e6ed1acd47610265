//! Whatever comes from outside.

use proptest::prelude::*;

use super::*;

fn address() -> impl Strategy<Value = String> {
    let session = SessionId::new(START_MS, 7);
    let word = prop_oneof![
        Just("live".to_owned()),
        Just("demo".to_owned()),
        Just(session.to_string()),
        Just("source".to_owned()),
        Just("index.m3u8".to_owned()),
        Just("source.m3u8".to_owned()),
        Just("init".to_owned()),
        Just("0101010101010101.mp4".to_owned()),
        "[0-9]{1,20}\\.m4s",
        "[0-9]{1,20}\\.[0-9]{1,11}\\.m4s",
        "\\PC{0,12}",
        Just("..".to_owned()),
    ];
    let known = prop_oneof![
        Just(format!("/live/demo/{session}/source.m3u8")),
        (0u64..9, 0u32..9).prop_map(move |(msn, part)| format!("/live/demo/{}/audio/{msn}.{part}.m4s", SessionId::new(START_MS, 7))),
        (0u64..9).prop_map(|msn| format!("/live/demo/{}/audio/{msn}.m4s", SessionId::new(START_MS, 7))),
        Just("/live/demo/index.m3u8".to_owned()),
    ];
    prop_oneof![prop::collection::vec(word, 0..7).prop_map(|words| format!("/{}", words.join("/"))), known, "\\PC{0,40}"]
}

fn query() -> impl Strategy<Value = String> {
    let directive = prop_oneof![
        (0u64..9).prop_map(|n| format!("_HLS_msn={n}")),
        (0u64..15).prop_map(|n| format!("_HLS_part={n}")),
        "_HLS_(msn|part|skip)=[0-9a-zA-Z+-]{0,22}",
        Just("_HLS_skip=YES".to_owned()),
        "[a-z]{0,3}=\\PC{0,6}",
    ];
    prop::collection::vec(directive, 0..4).prop_map(|directives| directives.join("&"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_client_sends_it_gets_no_5xx(path in address(), query in query(), method in "GET|HEAD|OPTIONS|[A-Z]{0,6}", records in 1u64..14, end: bool) {
        let mut world = World::after(records);
        if end {
            world.write_end();
        }
        let (answer, _) = world.run(&mut State::new(), Request { method, path, query, ..Request::default() }, world.now_ms());
        prop_assert!(status(&answer) < 500, "{:?}", answer);
        if let Answer::Respond { status: 400.., body, .. } = &answer {
            prop_assert_eq!(std::str::from_utf8(body).unwrap().lines().count(), 1);
        }
    }

    #[test]
    fn whatever_lies_in_the_bucket_no_job_panics_or_hangs(
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..60), any::<bool>()), 0..4),
        path in address(), query in query(),
    ) {
        let mut world = World::after(9);
        for (which, bytes, cut) in damage {
            let key = world.objects.keys().nth(which.index(world.objects.len())).unwrap().clone();
            let object = world.objects.get_mut(&key).unwrap();
            if cut {
                object.truncate(bytes.len());
            } else {
                *object = bytes;
            }
        }
        let mut state = State::new();
        for waited in [None, Some(Waited::There), Some(Waited::Timeout)] {
            let request = Request { waited, ..get(&format!("{path}?{query}")) };
            world.run(&mut state, request, world.now_ms());
        }
    }
}
