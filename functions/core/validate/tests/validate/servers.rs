//! Servers that break one rule each.

use std::collections::BTreeSet;

use crate::origin::{AUDIO, Asked, Origin, PARTS, Reply};
use tidegate_validate::{Method, Report, Severity};

/// The rules that were broken, notes too.
fn broken(report: &Report) -> BTreeSet<&'static str> {
    assert_eq!(report.fatal, None);
    report.findings.iter().map(|finding| finding.rule.id).collect()
}

fn told(report: &Report) -> String {
    let lines = report.findings.iter().map(|one| format!("{} {}:{} {} (x{})\n", one.rule.id, one.url, one.line, one.seen, one.count));
    lines.collect()
}

#[test]
fn a_server_without_fault_has_no_finding() {
    let report = Origin::default().validate(60);
    assert!(broken(&report).is_empty(), "{}", told(&report));
    assert!(report.counts.blocking > 300 && report.counts.deltas > 10 && report.counts.parts > 250, "{:?}", report.counts);
    assert!(report.counts.segments > 60 && report.count(Severity::Error) == 0, "{:?}", report.counts);
}

#[test]
fn other_modes_without_fault_have_no_finding() {
    for (name, origin) in [
        ("classic", Origin { classic: true, ..Origin::default() }),
        ("ends", Origin { ends_after_us: Some(20_000_000), ..Origin::default() }),
        ("recording", Origin { ends_after_us: Some(0), ..Origin::default() }),
        (
            "deltas on a slow machine, which come after newer playlists",
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::List { skip: true, .. }) {
                    (reply.first_us, reply.done_us) = (reply.first_us + 700_000, reply.done_us + 700_000);
                }
            }),
        ),
        ("media playlist alone", Origin { url: "https://origin/live/high.m3u8", ..alone() }),
    ] {
        let report = origin.validate(40);
        assert!(broken(&report).is_empty(), "{name}: {}", told(&report));
        assert!(report.counts.segments > 5, "{name}: {:?}", report.counts);
    }
}

/// Without reports on renditions that nobody has heard of.
fn alone() -> Origin {
    Origin::default()
}

#[test]
fn what_cannot_be_tested_is_said() {
    let gone = Origin::twisted(|asked, _, _, reply| {
        if asked == Asked::Root {
            reply.refuse(404);
        }
    });
    assert!(gone.validate(5).fatal.unwrap().contains("404"));
    let page = Origin::twisted(|asked, _, _, reply| {
        if asked == Asked::Root {
            reply.body = b"<html>".to_vec();
        }
    });
    assert!(page.validate(5).fatal.unwrap().contains("<html>"));
    let empty = Origin::twisted(|asked, _, _, reply| {
        if matches!(asked, Asked::List { .. }) {
            reply.refuse(500);
        }
    });
    assert!(empty.validate(5).fatal.unwrap().contains("no media playlist"));
}

fn is_list(asked: Asked) -> bool {
    matches!(asked, Asked::List { .. })
}

fn of(asked: Asked) -> Option<usize> {
    match asked {
        Asked::List { rendition, .. } | Asked::Init { rendition } | Asked::Part { rendition, .. } | Asked::Segment { rendition, .. } => {
            Some(rendition)
        }
        Asked::Root | Asked::Nothing => None,
    }
}

fn is_media(asked: Asked) -> bool {
    matches!(asked, Asked::Part { .. } | Asked::Segment { .. } | Asked::Init { .. })
}

/// Changes the texts of media playlists.
fn texts(change: impl Fn(usize, u64, &mut Reply) + 'static) -> Origin {
    Origin::twisted(move |asked, _, _, reply| {
        if let Asked::List { rendition, shows, .. } = asked
            && reply.status == 200
        {
            change(rendition, shows, reply);
        }
    })
}

/// Changes the multivariant playlist.
fn root(from: &'static str, to: &'static str) -> Origin {
    Origin::twisted(move |asked, _, _, reply| {
        if asked == Asked::Root {
            reply.replace(from, to);
        }
    })
}

/// The playlist of the moment, at once and whatever was asked.
fn now_in_place(asked: Asked, now_us: u64, reply: &mut Reply) {
    let Asked::List { rendition, .. } = asked else { return };
    let clean = Origin::default();
    let shows = clean.parts_at(rendition, now_us);
    (reply.status, reply.body) = (200, clean.list(rendition, shows, false, false).into_bytes());
    (reply.first_us, reply.done_us) = (now_us + 5_000, now_us + 7_000);
}

fn drop_lines(reply: &mut Reply, start: &str) {
    let text: String = reply.text().lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\n")).collect();
    reply.body = text.into_bytes();
}

/// From the 150th part on, which is some 15 s after the start.
const LATER: u64 = 150;
/// When that part comes.
const LATER_US: u64 = 15_040_000;

type Case = (&'static [&'static str], u64, Origin);

fn http_cases() -> Vec<Case> {
    let every = |change: fn(&mut Reply)| Origin::twisted(move |_, _, _, reply| change(reply));
    vec![
        (
            &["HTTP-PLAYLIST"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if is_list(asked) && of(asked) == Some(1) {
                    reply.refuse(404)
                }
            }),
        ),
        (&["HTTP-GZIP"], 20, every(|reply| reply.drop_header("content-encoding"))),
        (
            &["HTTP-TYPE"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if is_list(asked) {
                    reply.headers[0].1 = "text/plain".into()
                }
            }),
        ),
        (&["HTTP-CORS"], 20, every(|reply| reply.drop_header("access-control-allow-origin"))),
        (&["HTTP-2"], 20, every(|reply| reply.http2 = false)),
        (&["HTTP-AGE"], 20, every(|reply| reply.headers.push(("date".into(), "Mon, 21 Sep 2026 14:00:00 GMT".into())))),
        (
            &["HTTP-HEAD"],
            20,
            Origin::twisted(|_, probe, _, reply| {
                if probe.method == Method::Head {
                    reply.refuse(405)
                }
            }),
        ),
        (&["HTTP-REDIRECT"], 20, Origin::twisted(|asked, _, _, reply| reply.redirected = is_media(asked))),
        (&["HTTP-TLS"], 20, Origin { url: "http://origin/live/index.m3u8", ..Origin::default() }),
        (
            &["HTTP-MEDIA-CACHE"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if is_media(asked) {
                    reply.headers[1].1 = "no-store".into()
                }
            }),
        ),
        (
            &["HTTP-RANGE"],
            20,
            texts(|rendition, _, reply| {
                let bytes = Origin::default().segment(rendition, 30).len();
                reply.replace("#EXTINF", &format!("#EXT-X-BYTERANGE:{bytes}@0\n#EXTINF"));
            }),
        ),
        (
            &["LL-CACHE"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if is_list(asked) {
                    reply.headers[1].1 = "no-cache".into()
                }
            }),
        ),
        (
            &["LL-RTT"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::List { msn: Some(msn), part: None, shows, .. } if msn + 5 < shows / PARTS) {
                    reply.first_us += 400_000;
                    reply.done_us += 400_000;
                }
            }),
        ),
    ]
}

fn blocking_cases() -> Vec<Case> {
    vec![
        (
            &["LL-BLOCK"],
            20,
            // One in eight is answered at once.
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::List { msn: Some(msn), part: Some(part), skip: false, .. } if part < PARTS && (msn * PARTS + part) % 8 == 5)
                {
                    now_in_place(asked, now, reply);
                }
            }),
        ),
        (
            &["LL-BLOCK-SEGMENT"],
            20,
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::List { msn: Some(_), part: None, skip: false, .. })
                    && reply.status == 200
                    && reply.first_us > now + 10_000
                {
                    now_in_place(asked, now, reply);
                }
            }),
        ),
        (
            &["LL-BLOCK-NEXT"],
            20,
            Origin::twisted(|asked, _, now, reply| {
                let there = Origin::default().parts_at(0, now);
                if matches!(asked, Asked::List { msn: Some(msn), part: Some(PARTS), .. } if (msn + 1) * PARTS < there) {
                    reply.refuse(400);
                }
            }),
        ),
        (
            &["LL-BLOCK-OLD"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::List { msn: Some(msn), part: None, shows, .. } if msn + 5 < shows / PARTS) {
                    reply.first_us += 4_000_000;
                    reply.done_us += 4_000_000;
                }
            }),
        ),
        (&["LL-BLOCK-FAR"], 20, in_place_of_400(|msn, part| msn && !part)),
        (&["LL-BLOCK-FAR-PART"], 20, in_place_of_400(|msn, part| msn && part)),
        (&["LL-BLOCK-PART-ALONE"], 20, in_place_of_400(|msn, _| !msn)),
        // A server that holds for ever what never comes, and one that says so in time.
        (&["LL-BLOCK-503", "LL-PART-LATE"], 50, Origin { stall_us: Some((20_000_000, 90_000_000)), ..Origin::default() }),
        (
            &["LL-PART-LATE"],
            50,
            Origin {
                stall_us: Some((20_000_000, 90_000_000)),
                ..Origin::twisted(|asked, _, now, reply| {
                    if is_list(asked) && reply.first_us > now + 6_000_000 {
                        reply.refuse(503);
                        (reply.first_us, reply.done_us) = (now + 6_000_000, now + 6_000_000);
                    }
                })
            },
        ),
        (
            &["LL-BLOCK-ENDED"],
            40,
            Origin {
                ends_after_us: Some(20_000_000),
                ..Origin::twisted(|asked, _, now, reply| {
                    if now > 20_000_000 && matches!(asked, Asked::List { msn: Some(msn), .. } if msn > 100) {
                        reply.refuse(400);
                    }
                })
            },
        ),
        (
            &["LIVE-ENDED"],
            40,
            Origin {
                ends_after_us: Some(20_000_000),
                ..Origin::twisted(|asked, _, _, reply| {
                    if matches!(asked, Asked::List { msn: Some(msn), .. } if msn > 100) && reply.status == 200 {
                        reply.replace("#EXT-X-ENDLIST\n", "");
                    }
                })
            },
        ),
        (
            &["LL-SAME-BYTES"],
            30,
            Origin::twisted(|asked, probe, _, reply| {
                if is_list(asked) && reply.status == 200 {
                    reply.body.extend(format!("## answered to {}\n", probe.id.0).into_bytes());
                }
            }),
        ),
    ]
}

fn in_place_of_400(which: fn(bool, bool) -> bool) -> Origin {
    Origin::twisted(move |asked, _, now, reply| {
        if let Asked::List { msn, part, .. } = asked
            && reply.status == 400
            && which(msn.is_some(), part.is_some())
        {
            now_in_place(asked, now, reply);
        }
    })
}

fn delta_cases() -> Vec<Case> {
    let deltas = |change: fn(usize, u64, &mut Reply)| {
        Origin::twisted(move |asked, _, _, reply| {
            if let Asked::List { rendition, skip: true, shows, .. } = asked {
                change(rendition, shows, reply);
            }
        })
    };
    vec![
        (
            &["LL-DELTA"],
            20,
            deltas(|rendition, shows, reply| reply.body = Origin::default().list(rendition, shows, false, false).into_bytes()),
        ),
        (&["LL-DELTA-BOUNDARY"], 20, Origin { delta_keeps: 5, ..Origin::default() }),
        (&["LL-DELTA-EQUAL"], 20, deltas(|_, _, reply| reply.replace("SKIPPED-SEGMENTS=5", "SKIPPED-SEGMENTS=4"))),
        (
            &["LL-DELTA-UNASKED"],
            30,
            // Once: who asks again gets the whole playlist.
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::List { rendition: 0, skip: false, shows: LATER, .. }) && now < LATER_US {
                    reply.body = Origin::default().list(0, LATER, false, true).into_bytes();
                }
            }),
        ),
        (&["LL-DELTA-RANGES"], 20, texts(|_, _, reply| reply.replace("CAN-SKIP-UNTIL", "CAN-SKIP-DATERANGES=YES,CAN-SKIP-UNTIL"))),
    ]
}

fn part_cases() -> Vec<Case> {
    vec![
        (
            &["LL-HINT-TRUE"],
            30,
            // A part that never comes, when the segment is at its end.
            texts(|_, shows, reply| {
                let msn = shows / PARTS;
                if shows % PARTS == 0 {
                    for name in crate::origin::NAMES {
                        let hint = |msn, part| format!("TYPE=PART,URI=\"{name}/{msn}.{part}.m4s\"");
                        reply.replace(&hint(msn, 0), &hint(msn - 1, PARTS));
                    }
                }
            }),
        ),
        (
            &["LL-HINT-HELD"],
            20,
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::Part { .. }) && reply.first_us > now + 20_000 {
                    reply.refuse(404);
                    (reply.first_us, reply.done_us) = (now + 5_000, now + 5_000);
                }
            }),
        ),
        (
            &["LL-DRIBBLE"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::Part { .. }) {
                    reply.done_us = reply.first_us + 450_000
                }
            }),
        ),
        (
            &["LL-NOT-FOUND"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if asked == Asked::Nothing {
                    reply.status = 200
                }
            }),
        ),
        (
            &["LL-REPORT-TRUE"],
            20,
            texts(|_, shows, reply| {
                let msn = (shows - 1) / PARTS;
                reply.replace(&format!("LAST-MSN={msn}"), &format!("LAST-MSN={}", msn - 3));
            }),
        ),
        (
            &["LL-REPORT"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    drop_lines(reply, "#EXT-X-RENDITION-REPORT")
                }
            }),
        ),
        (&["LL-REPORT-URI"], 20, texts(|_, _, reply| reply.replace("REPORT:URI=\"", "REPORT:URI=\"https://origin/live/"))),
        (
            &["LL-PART-THERE"],
            20,
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::Part { number, .. } if number % 16 == 5) && reply.first_us < now + 20_000 {
                    reply.refuse(404);
                }
            }),
        ),
        (
            &["LL-PART-KEPT"],
            40,
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::Part { rendition, number } if number + 20 < Origin::default().parts_at(rendition, now)) {
                    reply.refuse(404);
                }
            }),
        ),
        (
            &["SEGMENT-THERE"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::Segment { msn, .. } if msn % 4 == 3) {
                    reply.refuse(404)
                }
            }),
        ),
        (
            &["SEGMENT-KEPT"],
            60,
            Origin::twisted(|asked, _, now, reply| {
                if matches!(asked, Asked::Segment { msn, .. } if msn + 18 < Origin::default().parts_at(0, now) / PARTS) {
                    reply.refuse(404);
                }
            }),
        ),
    ]
}

fn time_cases() -> Vec<Case> {
    vec![
        (
            &["LIVE-TARGET-FIXED"],
            40,
            texts(|_, shows, reply| {
                if shows >= LATER {
                    reply.replace("TARGETDURATION:2", "TARGETDURATION:3")
                }
            }),
        ),
        (
            &["LL-PART-TARGET-FIXED"],
            40,
            texts(|_, shows, reply| {
                reply.replace("PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.6");
                if shows >= LATER {
                    reply.replace("PART-TARGET=0.5", "PART-TARGET=0.52");
                }
            }),
        ),
        (
            &["LL-CONTROL-FIXED"],
            40,
            texts(|_, shows, reply| {
                if shows >= LATER {
                    reply.replace("HOLD-BACK=9.0", "HOLD-BACK=9.5")
                }
            }),
        ),
        (
            &["LIVE-SEQUENCE"],
            40,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::List { rendition: 0, skip: false, shows: LATER, .. }) {
                    reply.body = Origin { window: 18, ..Origin::default() }.list(0, LATER, false, false).into_bytes();
                }
            }),
        ),
        (
            &["LIVE-CHANGED"],
            40,
            texts(|rendition, shows, reply| {
                if shows >= LATER && rendition == 0 {
                    reply.replace("high/33.m4s", "high/33.mp4");
                }
            }),
        ),
        (
            &["LIVE-DISCONTINUITY"],
            40,
            texts(|_, shows, reply| {
                if shows >= LATER {
                    reply.replace("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1")
                }
            }),
        ),
        (&["LIVE-TYPE"], 40, texts(|_, _, reply| reply.replace("#EXT-X-VERSION:10\n", "#EXT-X-VERSION:10\n#EXT-X-PLAYLIST-TYPE:EVENT\n"))),
        (&["LIVE-LATE"], 40, Origin { classic: true, stall_us: Some((20_000_000, 25_000_000)), ..Origin::default() }),
        (&["LIVE-SHORT"], 20, Origin { classic: true, window: 2, ..Origin::default() }),
        (&["LIVE-SIX"], 20, Origin { classic: true, window: 5, ..Origin::default() }),
        (&["LL-PART-LATE"], 40, Origin { stall_us: Some((20_000_000, 24_000_000)), ..Origin::default() }),
        (&["LL-LAST-PART-LATE"], 40, Origin { last_part_late: true, ..Origin::default() }),
        (&["DATE-CLOCK"], 20, texts(|_, _, reply| reply.replace("T14:", "T15:"))),
    ]
}

fn align_cases() -> Vec<Case> {
    let recording =
        |change: fn(usize, &mut Reply)| Origin { ends_after_us: Some(0), ..texts(move |rendition, _, reply| change(rendition, reply)) };
    vec![
        (
            &["ALIGN-TARGET"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    reply.replace("TARGETDURATION:2", "TARGETDURATION:3")
                }
            }),
        ),
        (
            &["ALIGN-DISCONTINUITY"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    reply.replace("DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1")
                }
            }),
        ),
        (
            &["ALIGN-DATE"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    reply.replace(".000Z", ".300Z")
                }
            }),
        ),
        (
            &["ALIGN-START"],
            20,
            Origin { samples: |rendition, _, time, _| *time += if rendition == AUDIO { 14_400 } else { 0 }, ..Origin::default() },
        ),
        (&["ALIGN-DRIFT"], 40, Origin { audio_extra: -60, ..Origin::default() }),
        (&["ALIGN-STEP"], 40, Origin { audio_lag_parts: 2, ..Origin::default() }),
        (
            &["ALIGN-LENGTH"],
            20,
            recording(|rendition, reply| {
                if rendition == AUDIO {
                    let text = reply.text();
                    let cut = text.rfind("#EXT-X-PROGRAM-DATE-TIME").unwrap();
                    reply.body = format!("{}#EXT-X-ENDLIST\n", &text[..cut]).into_bytes();
                }
            }),
        ),
        (
            &["ALIGN-TYPE"],
            20,
            recording(|rendition, reply| {
                if rendition == AUDIO {
                    reply.replace("TYPE:VOD", "TYPE:EVENT")
                }
            }),
        ),
        (
            &["LL-CONTROL-SAME"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    reply.replace("HOLD-BACK=9.0", "HOLD-BACK=9.5")
                }
            }),
        ),
    ]
}

fn media_cases() -> Vec<Case> {
    let samples = |samples: fn(usize, u64, &mut u64, &mut Vec<(u32, bool)>)| Origin { samples, ..Origin::default() };
    vec![
        (
            &["FMP4"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if matches!(asked, Asked::Part { rendition: 1, number } if number % 8 == 2) {
                    reply.body = vec![0; 64]
                }
            }),
        ),
        (&["CODECS"], 20, root("avc1.64001f,mp4a", "avc1.4d401f,mp4a")),
        (&["RESOLUTION"], 20, root("RESOLUTION=1280x720,FRAME", "RESOLUTION=1920x1080,FRAME")),
        (&["DURATION"], 20, Origin { classic: true, ..texts(|_, _, reply| reply.replace("EXTINF:2.00000", "EXTINF:1.95000")) }),
        (&["DECODE-TIME"], 20, samples(|rendition, number, time, _| *time += if rendition == 0 && number % 8 == 3 { 3_000 } else { 0 })),
        (
            &["INDEPENDENT"],
            20,
            texts(|rendition, _, reply| {
                if rendition == 0 {
                    reply.replace(".1.m4s\"", ".1.m4s\",INDEPENDENT=YES")
                }
            }),
        ),
        (
            &["INDEPENDENT-UNSAID"],
            20,
            texts(|rendition, _, reply| {
                if rendition == AUDIO {
                    reply.replace(",INDEPENDENT=YES", "")
                }
            }),
        ),
        (
            &["KEY-FRAME"],
            20,
            samples(|rendition, number, _, samples| {
                if rendition == 0 && number % 4 == 0 {
                    (samples[0].1, samples[1].1) = (false, true);
                }
            }),
        ),
        (
            &["PARTS-EQUAL"],
            20,
            Origin::twisted(|asked, _, _, reply| {
                if let Asked::Segment { rendition: 0, msn } = asked {
                    let other = |_, _, _: &mut u64, samples: &mut Vec<(u32, bool)>| (samples[0].0, samples[1].0) = (900, 1100);
                    reply.body = Origin { samples: other, ..Origin::default() }.segment(0, msn);
                }
            }),
        ),
        (&["PEAK"], 20, root("BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000", "BANDWIDTH=400000,AVERAGE-BANDWIDTH=390000")),
        (&["AVERAGE"], 1_150, root("AVERAGE-BANDWIDTH=800000", "AVERAGE-BANDWIDTH=300000")),
        (&["MV-INDEPENDENT"], 20, root("#EXT-X-INDEPENDENT-SEGMENTS\n", "")),
        (
            &["MV-I-FRAMES-ONLY"],
            20,
            Origin::twisted(|asked, probe, now, reply| {
                if asked == Asked::Root {
                    reply.replace("{$missing}", "i-frames.m3u8");
                } else if probe.url.ends_with("/i-frames.m3u8") {
                    let classic = Origin { classic: true, ..Origin::default() };
                    (reply.status, reply.body) = (200, classic.list(1, classic.parts_at(1, now), false, false).into_bytes());
                }
            }),
        ),
    ]
}

fn cases() -> Vec<Case> {
    [http_cases(), blocking_cases(), delta_cases(), part_cases(), time_cases(), align_cases(), media_cases()]
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn each_fault_of_a_server_breaks_its_rule_alone() {
    let mut wrong = String::new();
    for (expected, seconds, origin) in cases() {
        let report = origin.validate(seconds);
        if broken(&report) != expected.iter().copied().collect() {
            wrong += &format!("{expected:?} expected:\n{}\n", told(&report));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_rule_has_a_case_that_breaks_it() {
    let servers: BTreeSet<&str> = cases().into_iter().flat_map(|(rules, ..)| rules.iter().copied()).collect();
    let texts: BTreeSet<&str> = crate::texts::rules().collect();
    let all = tidegate_validate::rules::ALL.iter().map(|rule| rule.id);
    let missing: Vec<&str> = all.filter(|rule| !servers.contains(rule) && !texts.contains(rule)).collect();
    assert!(missing.is_empty(), "no test breaks {missing:?}");
}

/// Asked for nothing that a player would not ask for, and not too often.
#[test]
fn a_server_is_not_asked_more_than_it_can_bear() {
    let report = Origin::default().validate(60);
    // Three renditions, two parts a second, and some questions.
    assert!(report.counts.playlists < 60 * 3 * 2 * 5 / 4, "{:?}", report.counts);
}
