/// Turns the wrapping 32-bit milliseconds of RTMP into 64 bits.
///
/// A step of less than half the circle is taken as it is, whether forward or back, so frames that are a little out of order
/// around the wrap come out right. (Chunk headers extend 24 to 32 bits by themselves, but senders exist that do not.)
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unwrap {
    last: Option<i64>,
}

impl Unwrap {
    /// The next timestamp in 64 bits.
    pub fn next(&mut self, ms: u32) -> i64 {
        let unwrapped = match self.last {
            None => i64::from(ms),
            Some(last) => last + i64::from(ms.wrapping_sub(last as u32) as i32),
        };
        self.last = Some(unwrapped);
        unwrapped
    }
}

/// Timestamps that go back less are out of order, not a new clock.
const BACK_MS_MAX: i64 = 500;

/// Timestamps that go forward more are a new clock, or an outage after which players have to start afresh. An encoder's own
/// pauses and corrections are shorter.
pub(crate) const FORWARD_MS_MAX: i64 = 3_000;

/// Whether a step between two decode times of one track is a new clock. This is the only place that says so: a session asks
/// before it feeds its encoders, which have to start afresh, and the packager for whoever does not.
#[must_use]
pub fn is_jump(from_ms: i64, to_ms: i64) -> bool {
    !(-BACK_MS_MAX..=FORWARD_MS_MAX).contains(&to_ms.saturating_sub(from_ms))
}

/// Says which wall clock belongs to a media time, by when frames arrived.
///
/// The frame that came with the least delay is the truest, so the offset is the least of `arrival - media time` seen in a
/// window. It is kept until it is wrong by [`STEP_US`], since a step is seen by viewers in PROGRAM-DATE-TIME, and then led to where it
/// should be in steps that nobody sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct WallClock {
    offset_us: Option<i64>,
    window_us: Option<i64>,
    /// What this worker's clock is wrong by, seen from the worker that began the session.
    correction_us: i64,
    /// The offset is that of another worker, and by how much its clock differs is learned until then.
    adopts: Option<Adopts>,
    /// The offset was found to be wrong, and is on its way.
    slews: bool,
    /// By how much the frames of the last window came late, where that was more than [`SLEW_US_MAX`].
    late_us: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Adopts {
    /// Until a frame arrives after this.
    until_us: Option<i64>,
    /// Something is known of it.
    learned: bool,
}

/// Below this, corrections cost more than they give: players align renditions by PROGRAM-DATE-TIME within a frame or so.
const STEP_US: i64 = 100_000;

/// How long a worker that goes on for another learns by how much its clock differs. What it held until then may have come late: after
/// a pause of the process all of it came at once.
const ADOPTS_US: i64 = 10_000_000;

/// Whether a step of the date, in us, begins a period: players need to be told that dates do not go on from those before it. Some place renditions
/// by date and durations alone, and one that finds the two apart inside a list shifts what it knows with each refresh and never plays.
#[must_use]
pub fn steps_period(step_us: i64) -> bool {
    step_us > SLEW_US_MAX
}

/// A correction of one segment: half of what a date may lie beside the durations before it. Frames that come later than
/// [`SLEW_US_MAX`] for two segments come so for good, and the date follows at once; it never goes back but in such small steps.
const SLEW_US: i64 = 50_000;
const SLEW_US_MAX: i64 = 1_000_000;

impl WallClock {
    /// With a clock that is known to be behind by this.
    pub(crate) fn corrected(correction_us: i64) -> Self {
        Self { correction_us, ..Self::default() }
    }

    /// By how much this worker's clock was found to be behind. As long as it is learned, frames may have come late: that it is ahead is not
    /// known.
    pub(crate) fn correction_us(&self) -> i64 {
        if self.adopts.is_some() { self.correction_us.max(0) } else { self.correction_us }
    }

    /// Goes on with the offset of another worker, so that no step is seen where this one takes over.
    pub(crate) fn adopting(offset_us: i64) -> Self {
        Self { offset_us: Some(offset_us), adopts: Some(Adopts::default()), ..Self::default() }
    }

    pub(crate) fn saw(&mut self, arrival_us: i64, media_us: i64) {
        if let Some(adopts) = &mut self.adopts
            && arrival_us > *adopts.until_us.get_or_insert_with(|| arrival_us.saturating_add(ADOPTS_US))
        {
            self.adopts = None;
        }
        let offset = arrival_us.saturating_add(self.correction_us).saturating_sub(media_us);
        self.window_us = Some(self.window_us.map_or(offset, |least| least.min(offset)));
    }

    /// At the start of a segment: takes over what the frames since the last one say. Returns the step where there is one.
    pub(crate) fn settle(&mut self) -> Option<i64> {
        let window = self.window_us.take()?;
        if let Some(adopts) = &mut self.adopts {
            let behind_us = self.offset_us.unwrap_or(window).saturating_sub(window);
            // Frames that are prompter than those before say that those were late, and not that the clock was set back.
            if !core::mem::replace(&mut adopts.learned, true) || behind_us > 0 {
                self.correction_us = self.correction_us.saturating_add(behind_us);
            }
            return None;
        }
        let Some(offset) = self.offset_us else {
            self.offset_us = Some(window);
            return None;
        };
        let wrong = window - offset;
        if wrong > SLEW_US_MAX {
            // After a pause of this process all frames had come at once, and the next ones are on time again.
            let step = wrong.min(self.late_us.replace(wrong)?);
            self.offset_us = Some(offset + step);
            return Some(step);
        }
        self.late_us = None;
        self.slews = wrong.abs() > if self.slews { SLEW_US } else { STEP_US };
        if !self.slews {
            return None;
        }
        let step = wrong.clamp(-SLEW_US, SLEW_US);
        self.offset_us = Some(offset + step);
        Some(step)
    }

    /// This media time is of no earlier date, and what follows goes on from there: a connection that is made anew may be prompter than the
    /// one before it, and is then led back in the small steps of [`Self::settle`].
    pub(crate) fn begin_after(&mut self, utc_us: i64, media_us: i64) {
        if let Some(offset) = self.offset_us.as_mut().filter(|_| self.adopts.is_none()) {
            *offset = (*offset).max(utc_us.saturating_sub(media_us));
        }
    }

    pub(crate) fn utc_us(&self, media_us: i64) -> i64 {
        self.offset_us.or(self.window_us).unwrap_or(0).saturating_add(media_us)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn timestamps_grow_past_24_and_32_bits() {
        let mut unwrap = Unwrap::default();
        let seen: Vec<i64> = [0x00ff_fff0, 0x0100_0010, 0x7fff_ffff, 0xffff_fff0, 5, 0xffff_fffe, 40].map(|ms| unwrap.next(ms)).to_vec();
        let circle = 1i64 << 32;
        assert_eq!(seen, [0x00ff_fff0, 0x0100_0010, 0x7fff_ffff, 0xffff_fff0, circle + 5, 0xffff_fffe, circle + 40]);
    }

    #[test]
    fn a_jump_back_stays_a_jump_back() {
        let mut unwrap = Unwrap::default();
        assert_eq!([unwrap.next(100_000), unwrap.next(0)], [100_000, 0]);
    }

    #[test]
    fn frames_that_came_late_when_another_worker_was_followed_do_not_move_the_clock() {
        let mut wall = WallClock::adopting(1_000_000);
        // All that came while the process was stopped.
        for media_us in [0, 2_000_000, 4_000_000] {
            wall.saw(9_000_000, media_us);
            assert_eq!((wall.settle(), wall.utc_us(media_us)), (None, 1_000_000 + media_us));
        }
        for media_us in (6_000_000..30_000_000).step_by(2_000_000) {
            wall.saw(3_500_000 + media_us, media_us);
            assert_eq!((wall.settle(), wall.utc_us(media_us)), (None, 1_000_000 + media_us));
        }
        assert_eq!(wall.correction_us(), -2_500_000);
    }

    #[test]
    fn the_wall_clock_follows_the_promptest_frame_and_ignores_small_drift() {
        let mut wall = WallClock::default();
        wall.saw(1_000_000, 0);
        wall.saw(1_020_000, 40_000);
        assert_eq!((wall.settle(), wall.utc_us(40_000)), (None, 1_020_000));
        wall.saw(1_090_000, 40_000);
        assert_eq!((wall.settle(), wall.utc_us(40_000)), (None, 1_020_000));
        // A pause of the process moves nothing, …
        wall.saw(3_200_000, 40_000);
        assert_eq!((wall.settle(), wall.utc_us(40_000)), (None, 1_020_000));
        wall.saw(1_020_000, 40_000);
        assert_eq!((wall.settle(), wall.utc_us(40_000)), (None, 1_020_000));
        // … what is late for good is on time again after the second segment, …
        wall.saw(3_300_000, 40_000);
        assert_eq!(wall.settle(), None);
        wall.saw(3_200_000, 40_000);
        assert_eq!((wall.settle(), wall.utc_us(40_000)), (Some(2_180_000), 3_200_000));
        // … and a first frame that was late by 0.18 s is made up for step by step.
        let mut steps = Vec::new();
        for _ in 0..6 {
            wall.saw(3_020_000, 40_000);
            steps.push(wall.settle());
        }
        assert_eq!(steps, [Some(-50_000), Some(-50_000), Some(-50_000), None, None, None]);
        assert_eq!(wall.utc_us(40_000), 3_050_000);
        // What may not begin before a date goes back to its own in the same steps.
        wall.begin_after(3_200_000, 40_000);
        let mut dates = Vec::new();
        for _ in 0..3 {
            wall.saw(3_020_000, 40_000);
            wall.settle();
            dates.push(wall.utc_us(40_000));
        }
        assert_eq!(dates, [3_150_000, 3_100_000, 3_050_000]);
        // A clock that was set back by an hour takes no date back.
        wall.saw(3_020_000 - 3_600_000_000, 40_000);
        assert_eq!(wall.settle(), Some(-50_000));
    }
}
