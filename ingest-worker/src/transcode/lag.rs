use std::time::{Duration, Instant};

/// Decides how many rungs can be afforded, from how long pictures stay in the encoders. Knows no clock: every time is an argument.
///
/// Behind by more than [`LAG_MAX`], the costliest rung goes at the next key frame. It comes back after so long a time without a
/// delay worth speaking of; where that was too much after all, it stays away twice as long the next time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lag {
    back_after: Duration,
    /// What a rung has to wait for now.
    wait: Duration,
    missing: usize,
    behind: bool,
    /// Since when every picture has been quick.
    easy_since: Option<Instant>,
    returned_at: Option<Instant>,
}

/// What changes at a key frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// The costliest rung goes.
    Drop,
    /// The rung that went last comes back.
    Return,
}

/// How long a picture may be in the encoders.
pub(super) const LAG_MAX: Duration = Duration::from_secs(1);
/// A picture that was out within this left room: two pictures of reordering at 24 frames/s and a busy scheduler.
const EASY_MAX: Duration = Duration::from_millis(250);
/// A machine that was too slow again and again is tried four times an hour.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

impl Lag {
    /// All rungs, until pictures stay too long; `back_after` is how long a rung stays away at least.
    pub(crate) fn new(back_after: Duration) -> Self {
        Self { back_after, wait: back_after, missing: 0, behind: false, easy_since: None, returned_at: None }
    }

    /// How many rungs are left out, the costliest first.
    pub(crate) fn missing(&self) -> usize {
        self.missing
    }

    /// The oldest picture that no encoder has given back has been with them for so long.
    pub(crate) fn saw(&mut self, now: Instant, oldest: Duration) {
        if oldest > LAG_MAX {
            self.behind = true;
        }
        if oldest > EASY_MAX {
            self.easy_since = None;
        } else {
            self.easy_since.get_or_insert(now);
        }
    }

    /// A key frame of the source has come: the one place where the rungs can change. `rungs` is how many the ladder has.
    pub(crate) fn key_frame(&mut self, now: Instant, rungs: usize) -> Step {
        let passed = |since: Option<Instant>| since.map(|since| now.saturating_duration_since(since));
        if core::mem::take(&mut self.behind) && self.missing < rungs {
            if passed(self.returned_at.take()).is_some_and(|held| held < self.wait) {
                self.wait = (self.wait * 2).min(WAIT_MAX);
            }
            self.missing += 1;
            self.easy_since = None;
            return Step::Drop;
        }
        if self.missing > 0 && passed(self.easy_since).is_some_and(|easy| easy >= self.wait) {
            self.missing -= 1;
            self.easy_since = None;
            self.returned_at = Some(now);
            return Step::Return;
        }
        if self.missing == 0 && passed(self.returned_at).is_some_and(|held| held >= self.wait) {
            *self = Self::new(self.back_after);
        }
        Step::Stay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNGS: usize = 3;
    /// 25 frames/s, a key frame every 2 s.
    const FRAME: Duration = Duration::from_millis(40);
    const GOP_FRAMES: u32 = 50;

    /// A machine and its clock; every picture of a stretch has the same delay.
    struct Machine {
        lag: Lag,
        now: Instant,
    }

    impl Machine {
        fn new() -> Self {
            Self { lag: Lag::new(Duration::from_secs(60)), now: Instant::now() }
        }

        /// Seconds until something else than staying happens, in GOPs of 2 s.
        fn until_step(&mut self, delay_ms: u64, limit_s: u64) -> Option<(Step, u64)> {
            let begun = self.now;
            while self.now - begun < Duration::from_secs(limit_s) {
                for _ in 0..GOP_FRAMES {
                    self.lag.saw(self.now, Duration::from_millis(delay_ms));
                    self.now += FRAME;
                }
                let step = self.lag.key_frame(self.now, RUNGS);
                if step != Step::Stay {
                    return Some((step, (self.now - begun).as_secs()));
                }
            }
            None
        }
    }

    #[test]
    fn a_second_behind_costs_a_rung_at_the_next_key_frame_until_none_is_left() {
        let mut machine = Machine::new();
        assert_eq!(machine.until_step(900, 600), None);
        for missing in 1..=RUNGS {
            assert_eq!(machine.until_step(1100, 600), Some((Step::Drop, 2)));
            assert_eq!(machine.lag.missing(), missing);
        }
        assert_eq!(machine.until_step(1100, 600), None);
    }

    #[test]
    fn a_rung_comes_back_after_a_minute_of_headroom_and_not_before() {
        let mut machine = Machine::new();
        machine.until_step(1500, 10);
        machine.until_step(1500, 10);
        assert_eq!(machine.until_step(300, 600), None, "300 ms is no headroom");
        assert_eq!(machine.until_step(40, 600), Some((Step::Return, 60)));
        assert_eq!(machine.until_step(40, 600), Some((Step::Return, 60)), "one at a time");
        assert_eq!((machine.lag.missing(), machine.until_step(40, 600)), (0, None));
    }

    #[test]
    fn one_slow_picture_starts_the_minute_anew() {
        let mut machine = Machine::new();
        machine.until_step(1500, 10);
        assert_eq!(machine.until_step(40, 50), None);
        machine.lag.saw(machine.now, Duration::from_millis(400));
        assert_eq!(machine.until_step(40, 600), Some((Step::Return, 60)));
    }

    #[test]
    fn a_rung_that_was_too_much_again_stays_away_twice_as_long_at_most_a_quarter_of_an_hour() {
        let mut machine = Machine::new();
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(machine.until_step(1500, 10), Some((Step::Drop, 2)));
            waits.extend(machine.until_step(40, 3600).map(|(_, seconds)| seconds));
        }
        assert_eq!(waits, [60, 120, 240, 480, 900, 900, 900]);
        // It held: the next time counts as the first.
        assert_eq!(machine.until_step(40, 1000), None);
        assert_eq!(machine.until_step(1500, 10), Some((Step::Drop, 2)));
        assert_eq!(machine.until_step(40, 3600), Some((Step::Return, 60)));
    }
}
