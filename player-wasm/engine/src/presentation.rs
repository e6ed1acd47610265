//! Where media lies in presentation time and in wall clock time.

use alloc::collections::VecDeque;

/// Periods whose offset is remembered; a viewer who seeks back further gets the offset anew from the playlist.
const MAX_PERIODS: usize = 64;
/// Wall clock marks; one per segment, more than any back buffer holds.
const MAX_MARKS: usize = 128;

/// The offsets of all periods, equal for all tracks, and the wall clock of what has been appended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presentation {
    offsets: VecDeque<(u64, f64)>,
    marks: VecDeque<(f64, f64)>,
}

impl Presentation {
    /// What to add to media time in a period; `start` gives it for the first fragment that is seen of the period.
    pub(crate) fn offset_s(&mut self, period: u64, start: impl FnOnce() -> f64) -> f64 {
        if let Some(offset) = self.known_offset_s(period) {
            return offset;
        }
        if self.offsets.len() >= MAX_PERIODS {
            self.offsets.pop_front();
        }
        let offset = start();
        self.offsets.push_back((period, offset));
        offset
    }

    /// The offset of a period that media has been appended of.
    pub(crate) fn known_offset_s(&self, period: u64) -> Option<f64> {
        self.offsets.iter().find(|(known, _)| *known == period).map(|(_, offset)| *offset)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Media at `time_s` was made at `utc_ms`.
    pub(crate) fn mark(&mut self, time_s: f64, utc_ms: f64) {
        let at = self.marks.partition_point(|(mark, _)| *mark < time_s - 1e-3);
        match self.marks.get_mut(at) {
            Some(mark) if (mark.0 - time_s).abs() < 1e-3 => mark.1 = utc_ms,
            _ => self.marks.insert(at, (time_s, utc_ms)),
        }
        if self.marks.len() > MAX_MARKS {
            self.marks.pop_front();
        }
    }

    /// The wall clock of what is shown at `time_s`.
    pub(crate) fn utc_ms(&self, time_s: f64) -> Option<f64> {
        let after = self.marks.partition_point(|(mark, _)| *mark <= time_s + 1e-3);
        let (mark, utc_ms) = self.marks.get(after.saturating_sub(1))?;
        Some(utc_ms + (time_s - mark) * 1000.0)
    }

    /// The presentation time of a wall clock time.
    pub(crate) fn time_s(&self, utc_ms: f64) -> Option<f64> {
        let after = self.marks.partition_point(|(_, mark)| *mark <= utc_ms);
        let (time_s, mark) = self.marks.get(after.saturating_sub(1))?;
        Some(time_s + (utc_ms - mark) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clock_follows_the_nearest_mark_before() {
        let mut presentation = Presentation::default();
        assert_eq!(presentation.utc_ms(1.0), None);
        presentation.mark(10.0, 1_000_000.0);
        presentation.mark(12.0, 1_002_500.0);
        assert_eq!(presentation.utc_ms(11.0), Some(1_001_000.0));
        assert_eq!(presentation.utc_ms(13.0), Some(1_003_500.0));
        assert_eq!(presentation.utc_ms(9.0), Some(999_000.0));
        assert_eq!(presentation.time_s(1_003_500.0), Some(13.0));
    }

    #[test]
    fn a_period_keeps_its_first_offset() {
        let mut presentation = Presentation::default();
        assert_eq!(presentation.offset_s(3, || 7.0), 7.0);
        assert_eq!(presentation.offset_s(3, || 9.0), 7.0);
    }
}
