//! What real servers were seen to do wrong, all at once as they do it.

use std::collections::BTreeSet;

use crate::origin::{AUDIO, Asked, NAMES, Origin, PARTS, Reply};

/// A server with the faults of another one.
struct Peer {
    name: &'static str,
    origin: Origin,
    seconds: u64,
    /// At least these are found.
    expected: &'static [&'static str],
}

fn lists(reply: &Reply, asked: Asked) -> Option<(usize, u64)> {
    match asked {
        Asked::List { rendition, shows, .. } if reply.status == 200 => Some((rendition, shows)),
        _ => None,
    }
}

fn without(text: &str, start: &str) -> String {
    text.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\n")).collect()
}

fn peers() -> Vec<Peer> {
    vec![
        Peer {
            // Hold-back of two and a half parts, a part target that follows the longest part, no reports, no gzip, deltas that skip
            // too much, answers that no cache may keep.
            name: "MediaMTX",
            seconds: 40,
            expected: &["LL-PART-HOLD-BACK-3", "LL-PART-TARGET-FIXED", "LL-REPORT", "HTTP-GZIP", "LL-CACHE", "LL-DELTA-BOUNDARY"],
            origin: Origin {
                delta_keeps: 3,
                ..Origin::twisted(|asked, _, _, reply| {
                    reply.drop_header("content-encoding");
                    let Some((_, shows)) = lists(reply, asked) else { return };
                    reply.headers[1].1 = "no-cache".into();
                    let target = if shows < 150 { "0.50100" } else { "0.51200" };
                    reply.replace("PART-HOLD-BACK=1.5", "PART-HOLD-BACK=1.2525");
                    reply.replace("PART-TARGET=0.5", &format!("PART-TARGET={target}"));
                    reply.body = without(&reply.text(), "#EXT-X-RENDITION-REPORT").into_bytes();
                })
            },
        },
        Peer {
            // The last part of a segment comes with the next one, dates are anchored at the first request, a part is hinted that never
            // comes when a segment ends, blocking answers may not be kept.
            name: "multimux",
            seconds: 40,
            expected: &["LL-LAST-PART-LATE", "DATE-CLOCK", "LL-HINT-TRUE", "LL-CACHE"],
            origin: Origin {
                last_part_late: true,
                ..Origin::twisted(|asked, _, _, reply| {
                    let Some((_, shows)) = lists(reply, asked) else { return };
                    reply.headers[1].1 = "no-cache".into();
                    // Twelve seconds late: 20 becomes 08, and the minute before is not met within the test.
                    for (minute, second) in (13..17).flat_map(|minute| (0..60).map(move |second| (minute, second))) {
                        let (later_minute, later) = if second >= 48 { (minute + 1, second - 48) } else { (minute, second + 12) };
                        reply.replace(&format!("T14:{minute}:{second:02}.000Z"), &format!("T14:{later_minute}:{later:02}.001Z"));
                    }
                    if shows % PARTS == 0 {
                        let msn = shows / PARTS;
                        for name in NAMES {
                            reply.replace(
                                &format!("TYPE=PART,URI=\"{name}/{msn}.0."),
                                &format!("TYPE=PART,URI=\"{name}/{}.{PARTS}.", msn - 1),
                            );
                        }
                    }
                })
            },
        },
        Peer {
            // Other target durations for sound and picture, sound that drifts, no gzip, no HTTP/2, 200 where 400 is due, other bytes for
            // the same request.
            name: "LVQR",
            seconds: 40,
            expected: &["ALIGN-TARGET", "ALIGN-DRIFT", "HTTP-GZIP", "HTTP-2", "LL-BLOCK-FAR", "LL-SAME-BYTES"],
            origin: Origin {
                audio_extra: -60,
                ..Origin::twisted(|asked, probe, now, reply| {
                    reply.drop_header("content-encoding");
                    reply.http2 = false;
                    if reply.status == 400 && matches!(asked, Asked::List { msn: Some(_), part: None, .. }) {
                        let Asked::List { rendition, shows, .. } = asked else { return };
                        (reply.status, reply.body) = (200, Origin::default().list(rendition, shows, false, false).into_bytes());
                        reply.first_us = now + 5_000;
                    }
                    let Some((rendition, _)) = lists(reply, asked) else { return };
                    if rendition == AUDIO {
                        reply.replace("TARGETDURATION:2", "TARGETDURATION:3");
                    }
                    reply.body.extend(format!("# {}\n", probe.id.0).into_bytes());
                })
            },
        },
        Peer {
            // A target duration that grows, no deltas worth the name, no gzip.
            name: "GPAC",
            seconds: 40,
            expected: &["LIVE-TARGET-FIXED", "HTTP-GZIP", "LL-DELTA"],
            origin: Origin::twisted(|asked, _, _, reply| {
                reply.drop_header("content-encoding");
                if let Asked::List { rendition, shows, skip: true, .. } = asked {
                    reply.body = Origin::default().list(rendition, shows, false, false).into_bytes();
                }
                if lists(reply, asked).is_some_and(|(_, shows)| shows >= 150) {
                    reply.replace("TARGETDURATION:2", "TARGETDURATION:3");
                }
            }),
        },
        Peer {
            // Parts are byte ranges of their segment.
            name: "zap-stream",
            seconds: 20,
            expected: &["LL-PART-RANGE"],
            origin: Origin::twisted(|asked, probe, now, reply| {
                let clean = Origin::default();
                if let Some((rendition, shows)) = lists(reply, asked) {
                    let (name, bytes) = (NAMES[rendition], clean.part(rendition, 100).len() as u64);
                    for msn in shows / PARTS - 3..=shows / PARTS {
                        for index in 0..PARTS {
                            let (part, whole) = (format!("{name}/{msn}.{index}.m4s\""), format!("{name}/{msn}.m4s\""));
                            reply.replace(
                                &format!("RELOAD-HINT:TYPE=PART,URI=\"{part}"),
                                &format!("RELOAD-HINT:TYPE=PART,URI=\"{whole},BYTERANGE-START={}", index * bytes),
                            );
                            reply.replace(&part, &format!("{whole},BYTERANGE=\"{bytes}@{}\"", index * bytes));
                        }
                    }
                } else if let (Asked::Segment { .. }, Some((offset, length))) = (asked, probe.range) {
                    let there = reply.body.get(offset as usize..(offset + length) as usize).map(<[u8]>::to_vec);
                    (reply.status, reply.body) = (206, there.unwrap_or_default());
                    reply.first_us = now + 5_000;
                }
            }),
        },
    ]
}

#[test]
fn the_faults_of_known_servers_are_found() {
    for peer in peers() {
        let report = peer.origin.validate(peer.seconds);
        let found: BTreeSet<&str> = report.findings.iter().map(|finding| finding.rule.id).collect();
        let missing: Vec<&&str> = peer.expected.iter().filter(|rule| !found.contains(**rule)).collect();
        assert!(missing.is_empty(), "{}: {missing:?} of {found:?}", peer.name);
        assert_eq!(report.fatal, None);
    }
}
