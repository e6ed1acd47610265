use proptest::prelude::*;
use tidegate_beacon::{Event, EventKind, LINE_BYTES_MAX, Report, Rollup, Since, State, Unread, lines};

#[test]
fn a_line_of_our_player_reads() {
    let line = r#"bl=(1200),br=(3000),cid="demo",com.tidegate-since="30000 29000 1000 1 1",e=t,ltc=1500,mtp=(12300),sf=h,sid="9d2c",sn=7,st=ll,sta=p,ts=1790000000000,v=2"#;
    let event = Event::read(line).unwrap();
    assert_eq!((event.kind, event.state, event.number), (EventKind::Interval, State::Playing, Some(7)));
    assert_eq!((event.latency_ms, event.bitrate_kbps, event.sent_utc_ms), (Some(1500), Some(3000), 1_790_000_000_000));
    assert_eq!(event.since, Some(Since { time_ms: 30_000, played_ms: 29_000, stalled_ms: 1000, stalls: 1, ran: true }));
}

#[test]
fn a_line_of_other_players_reads() {
    // As the library of hls.js, Shaka and dash.js writes them: lists with parameters, tokens, decimals, a date.
    let line = r#"bs, br=(3200;v 128;a),bsa=(2;v 1),bsda=(900;v),e=e,ec=("fragLoadError" "x"),ltc=2100,msd=831,pr=1.05,sid="a-b",sta=f,ts=1790000000123,nor=("x%2Cy";r="0-9")"#;
    let event = Event::read(line).unwrap();
    assert_eq!((event.kind, event.state, event.error), (EventKind::Error, State::Failed, Some("fragLoadError")));
    assert_eq!((event.startup_ms, event.stalls, event.stalled_ms, event.bitrate_kbps), (Some(831), Some(3), Some(900), Some(3200)));
}

#[test]
fn what_no_player_sends_is_left_out_or_no_event() {
    let base = |more: &str| format!("e=t,sid=\"a\",sta=p,ts=1{more}");
    for (more, why) in
        [(",ltc=-1", "negative"), (",ltc=NaN", "no number"), (",ltc=999999999999999", "giant"), (",br=()", "nothing"), (",br=0", "0")]
    {
        let line = base(more);
        let event = Event::read(&line).unwrap();
        assert_eq!((event.latency_ms, event.bitrate_kbps), (None, None), "{why}");
    }
    for line in [
        "",
        "e=t",
        "sid=\"a\",sta=p,ts=1",
        "e=t,sid=\"\",sta=p,ts=1",
        "e=t,sid=\"a\",sta=x,ts=1",
        "e=t,sid=\"a\",sta=p,ts=-5",
        "e=t,sid=\"a\",sta=p,ts=99999999999999999",
    ] {
        assert!(Event::read(line).is_err(), "{line}");
    }
    assert_eq!(Event::read(&base(&format!(",cid=\"{}\"", "x".repeat(LINE_BYTES_MAX)))), Err(Unread::Long));
    assert_eq!(lines(&"e=t\n".repeat(1000)).count(), 64);
}

proptest! {
    #[test]
    fn any_text_reads_or_not(text in "\\PC{0,200}", parts in proptest::collection::vec("(e=|sid=|sta=|ts=|,|;|\\(|\\)|\"|\\\\|[a-z]|[0-9]{1,17}|\\?1|@| |-|\\.)", 0..60)) {
        let _ = Event::read(&text);
        let _ = Event::read(&parts.concat());
        let _ = Event::read(&format!("e=t,sid=\"a\",sta=p,ts=1,{}", parts.concat()));
    }

    #[test]
    fn any_bytes_are_a_report_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for version in [0, 1] {
            let mut bytes = bytes.clone();
            bytes.insert(0, version);
            if let Ok(report) = Report::decode(&bytes) {
                prop_assert_eq!(Report::decode(&report.encode()), Ok(report));
            }
            if let Ok(rollup) = Rollup::decode(&bytes) {
                prop_assert_eq!(Rollup::decode(&rollup.encode()), Ok(rollup));
            }
        }
    }
}
