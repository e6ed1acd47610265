use tidegate_engine::{Input, Output, Playhead, Track};

/// A media element with two source buffers, which knows nothing of HLS.
#[derive(Default)]
pub(crate) struct Element {
    pub(crate) time_s: f64,
    pub(crate) paused: bool,
    pub(crate) rate: f64,
    pub(crate) complete: bool,
    /// Seconds of media that were shown, and how often it had to wait.
    pub(crate) shown_s: f64,
    pub(crate) waits: u32,
    pub(crate) seeks: Vec<f64>,
    /// So many seeks are not heard, as by an element that is still being made.
    pub(crate) deaf: usize,
    /// So long before the end of what it has it stops, in s: where its last picture begins, and browsers do so by sound too. 0 is 0.02.
    pub(crate) stops_before_s: f64,
    buffers: [Option<Buffer>; 2],
    seeking: bool,
    running: bool,
    ended: bool,
    opened: bool,
    done: Vec<Input>,
}

#[derive(Default)]
struct Buffer {
    timescale: Option<f64>,
    ranges: Vec<(f64, f64)>,
}

/// What can be missing between two fragments without a stop.
const TOLERANCE_S: f64 = 0.06;

impl Element {
    pub(crate) fn perform(&mut self, output: &Output) {
        match output {
            Output::OpenTracks { video, audio } => {
                self.buffers = [video.as_ref().map(|_| Buffer::default()), audio.as_ref().map(|_| Buffer::default())];
                self.opened = true;
                self.rate = 1.0;
                self.done.push(Input::Opened);
            }
            Output::Remove { track, from_s, to_s } => {
                let buffer = self.buffers[*track as usize].as_mut().unwrap();
                let cut = |range: &(f64, f64)| [(range.0, range.1.min(*from_s)), (range.0.max(*to_s), range.1)];
                buffer.ranges = buffer.ranges.iter().flat_map(cut).filter(|(start, end)| start < end).collect();
                self.told(*track);
            }
            Output::Seek { to_s } => self.seek(*to_s),
            Output::Rate { rate } => {
                assert!((0.9..=1.12).contains(rate), "rate {rate}");
                self.rate = *rate;
            }
            _ => {}
        }
    }

    pub(crate) fn seek(&mut self, to_s: f64) {
        self.seeks.push(to_s);
        if self.seeks.len() <= self.deaf {
            return;
        }
        self.time_s = to_s;
        self.seeking = true;
        self.ended = false;
    }

    /// Appends what `sim::origin` made: its own short form of boxes is read here again, as a browser would.
    pub(crate) fn append(&mut self, track: Track, bytes: &[u8], offset_s: f64) {
        let buffer = self.buffers[track as usize].as_mut().expect("the track was opened");
        let find = |name: &[u8]| bytes.windows(4).position(|at| at == name);
        if let Some(at) = find(b"mdhd") {
            buffer.timescale = Some(f64::from(u32::from_be_bytes(bytes[at + 16..at + 20].try_into().unwrap())));
        } else {
            let timescale = buffer.timescale.expect("an init segment comes first");
            let at = find(b"tfdt").expect("a fragment has a time");
            let ticks = u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap());
            let at = find(b"test").expect("the origin tells the length");
            let duration = u64::from_be_bytes(bytes[at + 4..at + 12].try_into().unwrap());
            let start = ticks as f64 / timescale + offset_s;
            buffer.add(start, start + duration as f64 / timescale);
        }
        self.told(track);
    }

    fn told(&mut self, track: Track) {
        let ranges = self.buffers[track as usize].as_ref().unwrap().ranges.clone();
        self.done.push(Input::Buffered { track, ranges });
        self.done.push(Input::Appended { track });
    }

    pub(crate) fn done(&mut self) -> Vec<Input> {
        std::mem::take(&mut self.done)
    }

    pub(crate) fn ranges(&self, track: Track) -> &[(f64, f64)] {
        self.buffers[track as usize].as_ref().map_or(&[], |buffer| &buffer.ranges)
    }

    fn ahead_s(&self) -> f64 {
        let ahead = self.buffers.iter().flatten().map(|buffer| {
            let range = buffer.ranges.iter().find(|(start, end)| *start <= self.time_s + 1e-9 && self.time_s < *end);
            range.map_or(0.0, |(_, end)| end - self.time_s)
        });
        if self.opened { ahead.fold(f64::MAX, f64::min) } else { 0.0 }
    }

    pub(crate) fn play(&mut self, step_s: f64) {
        let ahead_s = self.ahead_s();
        let least_s = self.stops_before_s.max(0.02);
        let enough = if self.running { least_s } else { least_s.max(0.1) };
        let end = self.complete && ahead_s <= least_s && self.shown_s > 0.0;
        self.ended |= end && !self.seeking;
        let runs = ahead_s > enough && !self.ended;
        if runs {
            self.seeking = false;
        }
        if self.running && !runs && !self.ended && !self.seeking && !self.paused {
            self.waits += 1;
        }
        self.running = runs;
        if runs && !self.paused {
            self.time_s += step_s * self.rate;
            self.shown_s += step_s * self.rate;
        }
    }

    pub(crate) fn playhead(&self) -> Playhead {
        Playhead {
            time_s: self.time_s,
            paused: self.paused,
            seeking: self.seeking,
            waiting: !self.running && !self.ended,
            ended: self.ended,
        }
    }
}

impl Buffer {
    fn add(&mut self, start: f64, end: f64) {
        self.ranges.push((start, end));
        self.ranges.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::new();
        for range in self.ranges.drain(..) {
            match merged.last_mut() {
                Some(last) if range.0 <= last.1 + TOLERANCE_S => last.1 = last.1.max(range.1),
                _ => merged.push(range),
            }
        }
        self.ranges = merged;
    }
}
