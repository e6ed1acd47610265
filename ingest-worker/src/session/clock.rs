use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall clock that never jumps: read once, then carried on by the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    utc_us: i64,
    at: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { utc_us: i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX), at: Instant::now() }
    }

    pub(super) fn utc_us(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.at).as_micros();
        self.utc_us.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}
