//! A low-latency origin in memory and in virtual time: two videos and a sound, half-second parts, two-second segments.

use std::collections::BTreeMap;

use tidegate_cmaf::{ChunkHead, CodecConfig, Sample, write_chunk, write_init};
use tidegate_validate::{Answer, Config, Failure, Method, Observation, Output, Probe, Report, Validator};

pub(crate) const PART_US: u64 = 500_000;
pub(crate) const PARTS: u64 = 4;
/// The stream is this old when the validator comes.
const AGE_US: u64 = 60_000_000;
/// A part is there so long after its last frame.
const DELAY_US: u64 = 40_000;
const TRIP_US: u64 = 5_000;
const STARTED_UTC_US: i64 = 1_790_000_000_000_000;

pub(crate) const NAMES: [&str; 3] = ["high", "low", "audio"];
pub(crate) const AUDIO: usize = 2;

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asked {
    Root,
    /// A media playlist, with its directives and the parts that it shows.
    List {
        rendition: usize,
        msn: Option<u64>,
        part: Option<u64>,
        skip: bool,
        shows: u64,
    },
    Init {
        rendition: usize,
    },
    Part {
        rendition: usize,
        number: u64,
    },
    Segment {
        rendition: usize,
        msn: u64,
    },
    Nothing,
}

/// What is answered, and when.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) first_us: u64,
    pub(crate) done_us: u64,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) http2: bool,
    pub(crate) redirected: bool,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        let text = self.text();
        self.body = text.replace(from, to).into_bytes();
    }

    pub(crate) fn drop_header(&mut self, name: &str) {
        self.headers.retain(|(own, _)| own != name);
    }

    pub(crate) fn refuse(&mut self, status: u16) {
        (self.status, self.body) = (status, b"no\n".to_vec());
    }
}

/// The origin. What makes it wrong changes the fields or the replies.
pub(crate) struct Origin {
    pub(crate) ends_after_us: Option<u64>,
    /// Without parts.
    pub(crate) classic: bool,
    /// Ticks by which each part of the sound is longer, at 48 kHz.
    pub(crate) audio_extra: i64,
    /// The last part of each segment is listed with the next part.
    pub(crate) last_part_late: bool,
    /// The sound comes so many parts late.
    pub(crate) audio_lag_parts: u64,
    /// Nothing new is there from one time to another.
    pub(crate) stall_us: Option<(u64, u64)>,
    /// Segments of the window.
    pub(crate) window: u64,
    /// Segments that a delta keeps.
    pub(crate) delta_keeps: u64,
    /// Changes the samples of a part: rendition, number, decode time, samples.
    pub(crate) samples: fn(usize, u64, &mut u64, &mut Vec<(u32, bool)>),
    /// Changes what is answered.
    pub(crate) twist: Box<dyn Fn(Asked, &Probe, u64, &mut Reply)>,
    pub(crate) url: &'static str,
}

impl Default for Origin {
    fn default() -> Self {
        Self {
            ends_after_us: None,
            classic: false,
            audio_extra: 0,
            last_part_late: false,
            audio_lag_parts: 0,
            stall_us: None,
            window: 15,
            delta_keeps: 10,
            samples: |_, _, _, _| {},
            twist: Box::new(|_, _, _, _| {}),
            url: "https://origin/live/index.m3u8",
        }
    }
}

impl Origin {
    pub(crate) fn twisted(twist: impl Fn(Asked, &Probe, u64, &mut Reply) + 'static) -> Self {
        Self { twist: Box::new(twist), ..Self::default() }
    }

    /// Parts that are there at a time.
    pub(crate) fn parts_at(&self, rendition: usize, now_us: u64) -> u64 {
        let now_us = self.stall_us.filter(|(from, to)| (*from..*to).contains(&now_us)).map_or(now_us, |(from, _)| from);
        let end = self.ends_after_us.map_or(now_us, |end| end.min(now_us));
        let mut count = (end + AGE_US - DELAY_US) / PART_US;
        if self.last_part_late && count.is_multiple_of(PARTS) && self.ends_after_us.is_none_or(|end| now_us < end) {
            count -= 1;
        }
        count - if rendition == AUDIO { self.audio_lag_parts } else { 0 }
    }

    fn ended(&self, now_us: u64) -> bool {
        self.ends_after_us.is_some_and(|end| now_us >= end)
    }

    /// When so many parts are there.
    fn when(&self, rendition: usize, parts: u64) -> u64 {
        let mut at = (parts * PART_US + DELAY_US).saturating_sub(AGE_US);
        while self.parts_at(rendition, at) < parts && !self.ended(at) {
            at += 1_000;
        }
        at
    }

    /// How long a part is, in us.
    fn part_us(&self, rendition: usize) -> u64 {
        let extra = if rendition == AUDIO { self.audio_extra } else { 0 };
        (24_000 + extra) as u64 * 1_000_000 / 48_000
    }

    /// A media playlist that shows so many parts.
    pub(crate) fn list(&self, rendition: usize, shows: u64, ended: bool, delta: bool) -> String {
        let name = NAMES[rendition];
        let whole = shows / PARTS;
        let first = whole - self.window;
        let part = self.part_us(rendition);
        let seconds = |us: u64| format!("{:.5}", us as f64 / 1e6);
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:10\n#EXT-X-TARGETDURATION:2\n");
        let parts = !self.classic && !ended;
        if ended {
            text += "#EXT-X-PLAYLIST-TYPE:VOD\n";
        }
        if parts {
            text += "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=18.0,PART-HOLD-BACK=1.5,HOLD-BACK=9.0\n";
            text += "#EXT-X-PART-INF:PART-TARGET=0.5\n";
        }
        text += &format!("#EXT-X-MEDIA-SEQUENCE:{first}\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n");
        let from = if delta { whole - self.delta_keeps } else { first };
        if delta {
            text += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={}\n", from - first);
        } else {
            text += &format!("#EXT-X-MAP:URI=\"{name}/init.mp4\"\n");
        }
        for msn in from..=whole {
            let count = (shows - msn * PARTS).min(PARTS);
            // What is left over is not worth a segment, once it has ended.
            if count == 0 || (msn == whole && (ended || self.classic)) {
                continue;
            }
            let utc_us = STARTED_UTC_US - AGE_US as i64 + (msn * PARTS * PART_US) as i64;
            text += &format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", date(utc_us));
            if parts && msn + 3 > whole {
                for index in 0..count {
                    let independent = if index == 0 || rendition == AUDIO { ",INDEPENDENT=YES" } else { "" };
                    text += &format!("#EXT-X-PART:DURATION={},URI=\"{name}/{msn}.{index}.m4s\"{independent}\n", seconds(part));
                }
            }
            if count == PARTS && msn < whole {
                text += &format!("#EXTINF:{},\n{name}/{msn}.m4s\n", seconds(part * PARTS));
            }
        }
        if ended {
            text += "#EXT-X-ENDLIST\n";
        } else if parts {
            let (msn, index) = (shows / PARTS, shows % PARTS);
            text += &format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{name}/{msn}.{index}.m4s\"\n");
            let (msn, index) = ((shows - 1) / PARTS, (shows - 1) % PARTS);
            for other in NAMES.iter().filter(|other| **other != name) {
                text += &format!("#EXT-X-RENDITION-REPORT:URI=\"{other}.m3u8\",LAST-MSN={msn},LAST-PART={index}\n");
            }
        }
        text
    }

    pub(crate) fn part(&self, rendition: usize, number: u64) -> Vec<u8> {
        let (count, timescale_ticks) = if rendition == AUDIO { (24, 24_000 + self.audio_extra) } else { (15, 15_000) };
        let mut time = number * timescale_ticks as u64;
        let mut samples: Vec<(u32, bool)> =
            (0..count).map(|at| (1_000, rendition == AUDIO || (at == 0 && number.is_multiple_of(PARTS)))).collect();
        if rendition == AUDIO {
            samples[0].0 = (1_000 + self.audio_extra) as u32;
        }
        (self.samples)(rendition, number, &mut time, &mut samples);
        let data: Vec<Vec<u8>> =
            (0..samples.len()).map(|at| vec![(number as u8) ^ at as u8; if rendition == 0 { 2000 } else { 300 }]).collect();
        let samples: Vec<Sample<'_>> =
            samples.iter().zip(&data).map(|((duration, sync), data)| Sample { duration: *duration, cts: 0, sync: *sync, data }).collect();
        write_chunk(&ChunkHead { sequence: number as u32 + 1, decode_time: time, utc_us: None }, &samples).unwrap()
    }

    pub(crate) fn segment(&self, rendition: usize, msn: u64) -> Vec<u8> {
        (0..PARTS).flat_map(|index| self.part(rendition, msn * PARTS + index)).collect()
    }

    fn answer(&self, probe: &Probe, now_us: u64) -> Result<(u64, u64, Answer), (u64, Failure)> {
        let sent = now_us + TRIP_US / 2;
        let path = probe.url.split_once("://origin/live/").map_or("", |(_, path)| path);
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let of = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok());
        let (msn, index, skip) = (of("_HLS_msn"), of("_HLS_part"), query.contains("_HLS_skip="));
        let mut at = sent;
        let mut status = 200;
        let mut kind = "application/vnd.apple.mpegurl";
        let mut cache = "max-age=1".to_owned();
        let file = |path: &str| -> Option<(usize, String)> {
            let (folder, file) = path.split_once('/')?;
            Some((NAMES.iter().position(|name| *name == folder)?, file.strip_suffix(".m4s").unwrap_or(file).to_owned()))
        };
        let (asked, body) = if path == "index.m3u8" {
            (Asked::Root, MULTIVARIANT.as_bytes().to_vec())
        } else if let Some(rendition) = NAMES.iter().position(|name| path == format!("{name}.m3u8")) {
            let now = self.parts_at(rendition, sent);
            let last = (now - 1) / PARTS;
            let ended = self.ended(sent);
            let wanted = match (msn, index) {
                _ if ended || self.classic => now,
                (None, Some(_)) => 0,
                (Some(msn), _) if msn > last + 2 => 0,
                (Some(msn), Some(index)) if msn * PARTS + index > now + 6 && index >= PARTS => 0,
                // Beyond the last part: the first of the next segment.
                (Some(msn), Some(index)) => msn * PARTS + index.min(PARTS) + 1,
                (Some(msn), None) => (msn + 1) * PARTS + 1,
                (None, None) => now,
            };
            if wanted == 0 {
                status = 400;
                (Asked::List { rendition, msn, part: index, skip, shows: now }, b"bad request\n".to_vec())
            } else {
                if wanted > now {
                    at = self.when(rendition, wanted).max(sent);
                }
                if msn.is_some() {
                    cache = "max-age=12".into();
                }
                // A playlist as of what was asked for, as long as that is new.
                let newest = self.parts_at(rendition, at);
                let shows = if msn.is_some() && wanted + PARTS > newest { wanted.min(newest) } else { newest };
                let ended = self.ended(at);
                let delta = skip && !ended && shows / PARTS > self.window;
                (Asked::List { rendition, msn, part: index, skip, shows }, self.list(rendition, shows, ended, delta).into_bytes())
            }
        } else if let Some((rendition, file)) = file(path) {
            kind = if rendition == AUDIO { "audio/mp4" } else { "video/mp4" };
            cache = "max-age=31536000".into();
            let numbers: Vec<u64> = file.split('.').filter_map(|number| number.parse().ok()).collect();
            match numbers.as_slice() {
                _ if file == "init.mp4" => {
                    let config = if rendition == AUDIO { CodecConfig::aac(&[0x11, 0x90]) } else { CodecConfig::avc(AVCC) };
                    (Asked::Init { rendition }, write_init(&config.unwrap(), if rendition == AUDIO { 48_000 } else { 30_000 }))
                }
                [msn] => (Asked::Segment { rendition, msn: *msn }, self.segment(rendition, *msn)),
                [msn, index] if *index < PARTS => {
                    let number = msn * PARTS + index;
                    // Held until it is there.
                    at = self.when(rendition, number + 1).max(sent);
                    (Asked::Part { rendition, number }, self.part(rendition, number))
                }
                _ => (Asked::Nothing, Vec::new()),
            }
        } else {
            (Asked::Nothing, Vec::new())
        };
        if asked == Asked::Nothing {
            status = 404;
        }
        let mut headers = vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("cache-control".into(), cache),
            ("access-control-allow-origin".into(), "*".into()),
        ];
        if probe.gzip {
            headers.push(("content-encoding".into(), "gzip".into()));
        }
        let body = if probe.method == Method::Head { Vec::new() } else { body };
        let mut reply =
            Reply { first_us: at + TRIP_US / 2, done_us: at + TRIP_US / 2 + 2_000, status, headers, body, http2: true, redirected: false };
        (self.twist)(asked, probe, now_us, &mut reply);
        if reply.first_us > now_us + probe.timeout_us {
            return Err((now_us + probe.timeout_us, Failure::Timeout));
        }
        let Reply { first_us, done_us, status, headers, body, http2, redirected } = reply;
        let redirected = redirected.then(|| format!("{}#elsewhere", probe.url));
        Ok((first_us, done_us.max(first_us), Answer { status, http2, headers, body, redirected }))
    }

    /// Lets the validator look at it.
    pub(crate) fn validate(&self, seconds: u64) -> Report {
        let mut validator = Validator::new(Config { url: self.url.into(), follow_us: seconds * 1_000_000, started_utc_us: STARTED_UTC_US });
        let mut now = 0;
        let mut coming: BTreeMap<(u64, u64), Observation> = BTreeMap::new();
        for turn in 0.. {
            assert!(turn < 2_000_000, "the validator does not come to an end");
            while let Some(output) = validator.poll(now) {
                let Output::Probe(probe) = output else { continue };
                let observation = match self.answer(&probe, now) {
                    Ok((first_us, done_us, answer)) => Observation { probe: probe.id, sent_us: now, first_us, done_us, result: Ok(answer) },
                    Err((at, failure)) => Observation { probe: probe.id, sent_us: now, first_us: at, done_us: at, result: Err(failure) },
                };
                coming.insert((observation.done_us, probe.id.0), observation);
            }
            if validator.is_done() {
                break;
            }
            let next = coming.keys().next().map(|(at, _)| *at);
            let wake = validator.wake_us().filter(|wake| *wake > now);
            let Some(at) = next.into_iter().chain(wake).min() else { break };
            now = now.max(at);
            while let Some(((at, _), observation)) = coming.pop_first() {
                if at > now {
                    coming.insert((at, observation.probe.0), observation);
                    break;
                }
                validator.handle(now, observation);
            }
        }
        validator.report()
    }
}

/// A date of ISO 8601.
pub(crate) fn date(utc_us: i64) -> String {
    // The tests stay within one day.
    let (day, us) = (utc_us.div_euclid(86_400_000_000), utc_us.rem_euclid(86_400_000_000));
    assert_eq!(day, STARTED_UTC_US.div_euclid(86_400_000_000));
    let ms = us / 1000;
    format!("2026-09-21T{:02}:{:02}:{:02}.{:03}Z", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

const MULTIVARIANT: &str = r#"#EXTM3U
#EXT-X-VERSION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000,AVERAGE-BANDWIDTH=800000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio"
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=300000,AVERAGE-BANDWIDTH=250000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO="audio"
low.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="{$missing}"
"#;

/// H.264 High, 1280x720.
const AVCC: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1a, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00,
    0x03, 0x00, 0x10, 0x00, 0x00, 0x03, 0x03, 0xc0, 0xf1, 0x83, 0x19, 0x60, 0x01, 0x00, 0x04, 0x68, 0xef, 0x8f, 0xcb, 0xfd, 0xf8, 0xf8,
    0x00,
];
