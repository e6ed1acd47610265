use alloc::collections::VecDeque;

use tidegate_stream::FrameRate;

use crate::rate::DEFAULT_TIMESCALE;

/// The unit that a video rendition is timed in: all video of a period shares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Timing {
    /// Ticks per second.
    pub(crate) timescale: u32,
    /// Ticks of one frame; 0 where the rate varies.
    pub(crate) frame: i64,
    /// The constant rate.
    pub(crate) rate: Option<FrameRate>,
}

impl Timing {
    /// The timescale in which a frame is whole.
    pub(crate) fn of(rate: Option<FrameRate>) -> Self {
        match rate {
            None => Self { timescale: DEFAULT_TIMESCALE, frame: 0, rate },
            Some(FrameRate { numerator, denominator: 1 }) if numerator > 0 && DEFAULT_TIMESCALE.is_multiple_of(numerator) => {
                Self { timescale: DEFAULT_TIMESCALE, frame: i64::from(DEFAULT_TIMESCALE / numerator), rate }
            }
            Some(FrameRate { numerator, denominator }) => Self { timescale: numerator.max(1), frame: i64::from(denominator), rate },
        }
    }

    pub(crate) fn us(&self, ticks: i64) -> i64 {
        scale(ticks, 1_000_000, i64::from(self.timescale))
    }

    /// The first tick that is not before a media time.
    pub(crate) fn ticks_from_us(&self, us: i64) -> i64 {
        ceil(us, i64::from(self.timescale), 1_000_000)
    }
}

/// `value * by / of`, rounded to the nearest.
pub(crate) fn scale(value: i64, by: i64, of: i64) -> i64 {
    let (product, of) = (i128::from(value) * i128::from(by), i128::from(of.max(1)));
    ((2 * product + of).div_euclid(2 * of)) as i64
}

/// `value * by / of`, rounded up.
pub(crate) fn ceil(value: i64, by: i64, of: i64) -> i64 {
    let (product, of) = (i128::from(value) * i128::from(by), i128::from(of.max(1)));
    -((-product).div_euclid(of)) as i64
}

/// Turns the milliseconds of FLV into exact ticks. All video renditions of a period use the same grid, so frames of the same
/// time get the same tick, whichever way they came.
///
/// Nothing accumulates: each tick follows from the timestamp and an anchor alone. A timestamp far off the grid (another
/// phase after an interruption, a rate that is not quite what it claims) is taken as it is, and the next segment that starts
/// so becomes the new anchor.
#[derive(Clone, Debug)]
pub(crate) struct VideoGrid {
    timing: Timing,
    anchors: VecDeque<Anchor>,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    ms: i64,
    tick: i64,
}

/// Anchors that are kept for renditions that are behind the lead. One is made per segment at most.
const ANCHORS: usize = 8;

impl VideoGrid {
    pub(crate) fn new(timing: Timing, ms: i64, tick: i64) -> Self {
        Self { timing, anchors: VecDeque::from([Anchor { ms, tick }]) }
    }

    pub(crate) fn tick(&self, ms: i64) -> i64 {
        let (tick, _) = self.place(ms);
        tick
    }

    /// The tick and whether it is on the grid.
    fn place(&self, ms: i64) -> (i64, bool) {
        let at = self.anchors.iter().rev().find(|anchor| anchor.ms <= ms).or_else(|| self.anchors.front());
        let Some(anchor) = at else { return (0, true) };
        let timescale = i64::from(self.timing.timescale);
        let since = ms.saturating_sub(anchor.ms);
        if self.timing.frame > 0 {
            let slot = scale(since, timescale, 1000 * self.timing.frame);
            let off = i128::from(since) * i128::from(timescale) - i128::from(slot) * i128::from(1000 * self.timing.frame);
            // A quarter of a frame is 2 ms even at 120 frames: more than rounding, less than another place.
            if off.abs() * 4 <= i128::from(1000 * self.timing.frame) {
                return (anchor.tick + slot * self.timing.frame, true);
            }
        }
        (anchor.tick + scale(since, timescale, 1000), self.timing.frame == 0)
    }

    /// A segment starts with the frame of this timestamp, which got this tick.
    pub(crate) fn settle(&mut self, ms: i64) {
        if let (tick, false) = self.place(ms) {
            self.anchors.push_back(Anchor { ms, tick });
            if self.anchors.len() > ANCHORS {
                self.anchors.pop_front();
            }
        }
    }
}

/// Decode order of one video rendition: shifts decode times so that a sync frame is decoded when it is shown, and keeps
/// them growing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DecodeLine {
    delay: Option<i64>,
    last: Option<i64>,
}

impl DecodeLine {
    /// The decode time of a frame from its ticks on the grid.
    pub(crate) fn decode(&mut self, timing: &Timing, dts: i64, pts: i64, sync: bool) -> i64 {
        if sync && self.delay != Some(pts - dts) && self.last.is_none_or(|last| pts > last) {
            self.delay = Some(pts - dts);
        }
        let tick = dts + self.delay.unwrap_or(0);
        match self.last {
            // Two frames for one place: the second gets half of it, so that neither is lost and the next is back on time.
            Some(last) if tick <= last => last + (timing.frame / 2).max(i64::from(timing.timescale / 1000)),
            _ => tick,
        }
    }

    pub(crate) fn took(&mut self, tick: i64) {
        self.last = Some(tick);
    }
}

/// Places audio frames one after another; timestamps in ms only say where a run of them begins.
#[derive(Clone, Debug)]
pub(crate) struct AudioGrid {
    rate: i64,
    frame: i64,
    anchor_ms: i64,
    anchor: i64,
    next: Option<i64>,
    strays: u32,
}

/// What to do with an audio frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AudioPlace {
    At(i64),
    Overlap,
}

/// A single late stamp is jitter; this many in a row are a gap or an overlap.
const STRAYS: u32 = 4;

impl AudioGrid {
    /// `anchor` ticks belong to `anchor_ms`.
    pub(crate) fn new(rate: u32, frame: u32, anchor_ms: i64, anchor: i64) -> Self {
        Self { rate: i64::from(rate.max(1)), frame: i64::from(frame.max(1)), anchor_ms, anchor, next: None, strays: 0 }
    }

    /// The same, with this place for the next frame.
    pub(crate) fn with_next(self, next: i64) -> Self {
        Self { next: Some(next), ..self }
    }

    pub(crate) fn frame(&self) -> i64 {
        self.frame
    }

    /// Where a timestamp lies, without regard to the frames before.
    pub(crate) fn exact(&self, ms: i64) -> i64 {
        self.anchor + scale(ms.saturating_sub(self.anchor_ms), self.rate, 1000)
    }

    pub(crate) fn place(&mut self, ms: i64) -> AudioPlace {
        let exact = self.exact(ms);
        let Some(next) = self.next else {
            self.next = Some(exact + self.frame);
            return AudioPlace::At(exact);
        };
        let off = exact - next;
        let far = off.abs() * 4 > self.frame * 3;
        self.strays = if far { self.strays + 1 } else { 0 };
        if far && (self.strays >= STRAYS || off.abs() > 3 * self.frame) {
            let frames = scale(off, 1, self.frame);
            if frames < 0 {
                return AudioPlace::Overlap;
            }
            // A gap is a whole number of frames: the grid keeps its phase.
            let tick = next + frames * self.frame;
            self.next = Some(tick + self.frame);
            self.strays = 0;
            return AudioPlace::At(tick);
        }
        self.next = Some(next + self.frame);
        AudioPlace::At(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ntsc() -> Timing {
        Timing::of(Some(FrameRate { numerator: 30_000, denominator: 1001 }))
    }

    #[test]
    fn each_rate_has_the_timescale_in_which_its_frames_are_whole() {
        for (numerator, denominator, timescale, frame) in [
            (30_000, 1001, 30_000, 1001),
            (24, 1, 90_000, 3750),
            (25, 1, 90_000, 3600),
            (60_000, 1001, 60_000, 1001),
            (144, 1, 90_000, 625),
        ] {
            let timing = Timing::of(Some(FrameRate { numerator, denominator }));
            assert_eq!((timing.timescale, timing.frame), (timescale, frame));
        }
        assert_eq!(Timing::of(None), Timing { timescale: 90_000, frame: 0, rate: None });
    }

    #[test]
    fn two_hours_of_rounded_milliseconds_stay_on_the_grid() {
        let grid = VideoGrid::new(ntsc(), 66, 30_000);
        for n in 0..2 * 3600 * 30 {
            let ms = 66 + scale(n, 1_001_000, 30_000);
            assert_eq!(grid.tick(ms), 30_000 + n * 1001);
        }
        let mut audio = AudioGrid::new(44_100, 1024, 0, 44_100);
        for n in 0..2 * 3600 * 43 {
            assert_eq!(audio.place(n * 1_024_000 / 44_100), AudioPlace::At(44_100 + n * 1024));
        }
    }

    #[test]
    fn another_phase_becomes_the_anchor_at_the_next_segment() {
        let mut grid = VideoGrid::new(Timing::of(Some(FrameRate { numerator: 25, denominator: 1 })), 0, 0);
        assert_eq!(grid.tick(1018), 91_620);
        grid.settle(1018);
        assert_eq!(grid.tick(1058), 91_620 + 3600);
        assert_eq!(grid.tick(960), 24 * 3600);
    }

    #[test]
    fn an_audio_gap_is_whole_frames_and_jitter_is_none() {
        let mut grid = AudioGrid::new(48_000, 1024, 0, 0);
        for n in 0..100 {
            let jitter = [0, 9, -9, 14][n as usize % 4];
            assert_eq!(grid.place(n * 1024 / 48 + jitter), AudioPlace::At(n * 1024));
        }
        assert_eq!(grid.place(105 * 1024 / 48), AudioPlace::At(105 * 1024));
        assert_eq!(grid.place(90 * 1024 / 48), AudioPlace::Overlap);
    }

    #[test]
    fn a_lost_audio_frame_is_noticed_within_four() {
        let mut grid = AudioGrid::new(48_000, 1024, 0, 0);
        let last = (0..20).filter(|n| *n != 10).map(|n| grid.place(n * 1024 / 48)).last();
        assert_eq!(last, Some(AudioPlace::At(19 * 1024)));
    }

    #[test]
    fn a_sync_frame_is_decoded_when_it_is_shown() {
        let timing = ntsc();
        let mut line = DecodeLine::default();
        let mut decode = |dts, pts, sync| {
            let tick = line.decode(&timing, dts, pts, sync);
            line.took(tick);
            (tick, pts - tick)
        };
        assert_eq!(decode(0, 2002, true), (2002, 0));
        assert_eq!(decode(1001, 5005, false), (3003, 2002));
        assert_eq!(decode(2002, 3003, false), (4004, -1001));
        assert_eq!(decode(2002, 3003, false), (4504, -1501));
    }
}
