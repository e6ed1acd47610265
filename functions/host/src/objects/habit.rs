use std::time::Duration;

/// How far off the expectations about the keys of one folder are, learned from when they were found.
///
/// Who says when a key is expected reckons with a clock that is not this machine's, and with media whose last frame comes a frame
/// earlier than the part is long. Both are the same from key to key, so the error of the last ones is that of the next one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Habit {
    /// Added to what is said, in µs.
    shift_us: i64,
    /// How many keys in a row the first look found.
    at_once: u32,
}

/// An error beyond this is a trouble and no habit, in µs.
const SHIFT_MAX_US: i64 = 400_000;
/// A key that the first look found may have been there for long: the next look is this much earlier, in µs, twice as much after
/// the second in a row, and so on up to eight times.
const EARLIER_US: i64 = 4_000;
/// A key that came later than expected moves the next look by this share of the error …
const LATER_SHARE: i64 = 8;
/// … of which no more than this counts, in µs: one late key is no habit.
const LATE_MAX_US: i64 = 40_000;
/// Looks farther apart than this say too little about when the key came.
const TELLING: Duration = Duration::from_millis(60);

/// When a key was looked for; all from the moment at which it was first waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Looks {
    /// When the key was said to be expected.
    pub(crate) said: Duration,
    /// When the first look was due; zero where it had been due before anybody waited.
    pub(crate) first_due: Duration,
    /// The last look that found nothing.
    pub(crate) missed: Option<Duration>,
    /// The look that found it was answered.
    pub(crate) found: Duration,
}

impl Habit {
    /// When a key really is to be expected that is said to be expected at `said`.
    pub(crate) fn expect(self, said: Duration) -> Duration {
        let us = i64::try_from(said.as_micros()).unwrap_or(i64::MAX).saturating_add(self.shift_us);
        Duration::from_micros(us.max(0).unsigned_abs())
    }

    /// Takes in how one key was found.
    pub(crate) fn learn(&mut self, looks: &Looks) {
        let in_a_row = core::mem::take(&mut self.at_once);
        let shift_us = match looks.missed {
            // The look was late only because the first who waited was.
            None if looks.first_due.is_zero() => return,
            None => {
                self.at_once = in_a_row + 1;
                self.shift_us - (EARLIER_US << in_a_row.min(3))
            }
            Some(missed) if looks.found.saturating_sub(missed) > TELLING => return,
            Some(missed) => {
                let came_us = ((missed + looks.found) / 2).as_micros() as i64;
                let late_us = came_us - looks.said.as_micros() as i64 - self.shift_us;
                self.shift_us + late_us.min(LATE_MAX_US) / LATER_SHARE
            }
        };
        self.shift_us = shift_us.clamp(-SHIFT_MAX_US, SHIFT_MAX_US);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::schedule::{first_poll, next_poll};

    const GET: Duration = Duration::from_millis(2);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Looks for a key that comes at `comes` and is said to come at `said`, as the watcher does; how long it lay there, and the looks.
    fn look(habit: &mut Habit, said: Duration, comes: Duration) -> (Duration, usize) {
        let expected = habit.expect(said);
        let first_due = first_poll(expected);
        let (mut now, mut missed, mut count) = (Duration::ZERO, None, 0);
        loop {
            now += next_poll(now, expected);
            count += 1;
            let there = now >= comes;
            now += GET;
            if there {
                habit.learn(&Looks { said, first_due, missed, found: now });
                return (now - comes, count);
            }
            missed = Some(now);
        }
    }

    #[test]
    fn keys_that_always_come_earlier_than_said_are_found_when_they_come() {
        let mut habit = Habit::default();
        let first = look(&mut habit, ms(480), ms(430));
        assert!(first.0 > ms(40), "{first:?}");
        for _ in 0..30 {
            look(&mut habit, ms(480), ms(430));
        }
        for _ in 0..30 {
            let (lay, looks) = look(&mut habit, ms(480), ms(430));
            assert!(lay < ms(12) && looks <= 6, "{lay:?} after {looks} looks");
        }
    }

    #[test]
    fn keys_that_always_come_later_are_not_looked_for_in_vain() {
        let mut habit = Habit::default();
        for _ in 0..60 {
            look(&mut habit, ms(480), ms(600));
        }
        let (lay, looks) = look(&mut habit, ms(480), ms(600));
        assert!(lay < ms(12) && looks <= 6, "{lay:?} after {looks} looks");
    }

    #[test]
    fn one_late_key_moves_little() {
        let mut habit = Habit::default();
        look(&mut habit, ms(480), ms(3_000));
        assert!(habit.shift_us <= LATE_MAX_US / LATER_SHARE, "{habit:?}");
    }

    #[test]
    fn a_viewer_who_comes_when_the_key_is_there_says_nothing() {
        let mut habit = Habit::default();
        look(&mut habit, ms(0), ms(0));
        assert_eq!(habit, Habit::default());
    }
}
