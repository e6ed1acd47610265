use std::time::Duration;

/// The first poll comes this long before the key is expected: a poll that finds nothing costs less than a part that lies there unseen,
/// but one that comes while the key is being written disturbs the write.
const LEAD: Duration = Duration::from_millis(3);
/// Between polls around the expected time. On loopback a GET takes about 1 ms; half of this is the mean delay of a wake-up. A store
/// that is farther away paces the polls itself.
const CLOSE: Duration = Duration::from_millis(4);
/// The longest step while a key is late by less than `LATE`: a tenth of a usual part.
const SLOW: Duration = Duration::from_millis(50);
/// Once a key is this late, its writer has a trouble that takes longer than a part.
const LATE: Duration = Duration::from_secs(3);
/// Between polls of a key that is late for long.
const IDLE: Duration = Duration::from_millis(100);
/// However late a key is expected, it is looked for this often: an estimate can be wrong.
const PROBE: Duration = Duration::from_secs(1);
/// The step grows by one twelfth of the lateness: 4 ms when due, 46 ms after half a second.
const GROWTH: u32 = 12;

/// When the first poll of a key is due that is expected at `expected`.
pub(crate) fn first_poll(expected: Duration) -> Duration {
    expected.saturating_sub(LEAD)
}

/// How long to sleep before the next poll of a key that is expected at `expected`; both times on one clock.
pub(crate) fn next_poll(now: Duration, expected: Duration) -> Duration {
    let early = first_poll(expected).saturating_sub(now);
    if !early.is_zero() {
        return early.min(PROBE);
    }
    let late = now.saturating_sub(expected);
    if late >= LATE { IDLE } else { (CLOSE + late / GROWTH).min(SLOW) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polls(expected_ms: u64, until_ms: u64) -> Vec<u64> {
        let mut now = Duration::ZERO;
        let mut polls = Vec::new();
        loop {
            now += next_poll(now, Duration::from_millis(expected_ms));
            if now.as_millis() as u64 > until_ms {
                return polls;
            }
            polls.push(now.as_millis() as u64);
        }
    }

    #[test]
    fn a_key_on_time_is_seen_within_a_step_and_costs_few_polls() {
        let polls = polls(480, 500);
        assert_eq!(polls, [477, 481, 485, 489, 494, 499]);
    }

    #[test]
    fn a_late_key_is_polled_ever_more_slowly() {
        let polls = polls(0, 20_000);
        let steps: Vec<_> = polls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1] + 1), "{steps:?}");
        assert_eq!(steps.last(), Some(&100));
        assert!(polls.len() < 300, "{} polls in 20 s", polls.len());
    }

    #[test]
    fn a_key_that_is_expected_late_is_still_looked_for() {
        assert_eq!(polls(10_000, 3_500), [1000, 2000, 3000]);
    }
}
