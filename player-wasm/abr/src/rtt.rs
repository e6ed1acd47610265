//! The round trip: the least time to a first byte of late, since waits at the live edge only ever add to it.

#[derive(Debug, Clone)]
pub(crate) struct Rtt {
    recent: [f64; WINDOW],
    next: usize,
}

impl Rtt {
    pub(crate) fn new() -> Self {
        Self { recent: [f64::INFINITY; WINDOW], next: 0 }
    }

    pub(crate) fn add(&mut self, ttfb_s: f64) {
        if ttfb_s > 0.0 {
            self.recent[self.next % WINDOW] = ttfb_s.max(LEAST_S);
            self.next = (self.next + 1) % WINDOW;
        }
    }

    pub(crate) fn seconds(&self, otherwise: f64) -> f64 {
        let least = self.recent.iter().copied().fold(f64::INFINITY, f64::min);
        if least.is_finite() { least.min(MOST_S) } else { otherwise }
    }
}

const WINDOW: usize = 16;
const LEAST_S: f64 = 0.001;
const MOST_S: f64 = 2.0;
