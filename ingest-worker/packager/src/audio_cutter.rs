use alloc::vec::Vec;

use crate::{cutter::Cut, grid::ceil};

/// Decides where parts and segments end where audio is the lead: at the first frame that starts at or after each multiple
/// of the targets, so that nothing drifts. Every frame is a sync frame.
#[derive(Clone, Debug)]
pub(crate) struct AudioCutter {
    frame: i64,
    rate: i64,
    segment_us: i64,
    part_us: i64,
    /// What a part has at the most.
    most: i64,
    origin: Option<i64>,
    segment: i64,
    part: i64,
    start: i64,
    newest: Option<i64>,
    starts_segment: bool,
}

impl AudioCutter {
    pub(crate) fn new(frame: i64, rate: i64, segment_us: i64, part_us: i64, most: i64) -> Self {
        let frame = frame.max(1);
        Self {
            frame,
            rate,
            segment_us,
            part_us: part_us.max(1),
            most: most.max(frame),
            origin: None,
            segment: 0,
            part: 0,
            start: 0,
            newest: None,
            starts_segment: true,
        }
    }

    /// Goes on inside a segment that began at `origin`, of which there are parts up to `end`.
    pub(crate) fn resume(self, origin: i64, end: i64) -> Self {
        let part = self.part_us * self.rate / 1_000_000;
        // Another worker's parts may end a frame before ours would.
        let parts = (end - origin + self.frame) / part.max(1);
        let mut cutter = Self { origin: Some(origin), part: parts, start: end, starts_segment: false, ..self };
        // At most one turn: it was the last part of its segment.
        while cutter.boundary(origin) <= end {
            cutter.begin();
        }
        cutter
    }

    pub(crate) fn push(&mut self, tick: i64, cuts: &mut Vec<Cut>) {
        let is_first = self.origin.is_none();
        let origin = *self.origin.get_or_insert(tick);
        if is_first {
            self.start = origin;
        }
        // A jump of more than 3 s is a new period, so there are few turns.
        while tick >= self.boundary(origin) {
            self.close(origin, cuts);
        }
        self.newest = Some(tick);
        if tick + self.frame >= self.boundary(origin) {
            self.close(origin, cuts);
        }
    }

    pub(crate) fn finish(&mut self, cuts: &mut Vec<Cut>) {
        if let Some(newest) = self.newest.take() {
            cuts.push(Cut { start: self.start, end: newest + self.frame, last: Some(newest), starts_segment: self.starts_segment });
        }
    }

    /// Where the open part ends: on the grid of frames, at or after its share of the segment.
    fn boundary(&self, origin: i64) -> i64 {
        let within = ((self.part + 1) * self.part_us).min(self.segment_us);
        let us = self.segment * self.segment_us + within;
        (origin + ceil(us, self.rate, 1_000_000 * self.frame) * self.frame).min(self.start + self.most)
    }

    fn close(&mut self, origin: i64, cuts: &mut Vec<Cut>) {
        let end = self.boundary(origin);
        cuts.push(Cut { start: self.start, end, last: self.newest, starts_segment: self.starts_segment });
        self.newest = None;
        self.start = end;
        self.begin();
    }

    /// The next part begins, which may be the first of a segment.
    fn begin(&mut self) {
        self.starts_segment = (self.part + 1) * self.part_us >= self.segment_us;
        if self.starts_segment {
            self.segment += 1;
            self.part = 0;
        } else {
            self.part += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_23_or_24_frames_and_segments_do_not_drift() {
        let (mut cutter, mut cuts) = (AudioCutter::new(1024, 48_000, 2_000_000, 500_000, 24 * 1024), Vec::new());
        for n in 0..7200 * 48_000 / 1024 {
            cutter.push(n * 1024, &mut cuts);
        }
        assert!(cuts.iter().all(|cut| matches!((cut.end - cut.start) / 1024, 23 | 24)));
        let starts: Vec<i64> = cuts.iter().filter(|cut| cut.starts_segment).map(|cut| cut.start).collect();
        assert!(starts.iter().enumerate().all(|(n, start)| (0..1024).contains(&(start - n as i64 * 96_000))));
        assert_eq!(starts.len(), 3600);
    }

    #[test]
    fn a_hole_longer_than_a_part_is_a_gap() {
        let (mut cutter, mut cuts) = (AudioCutter::new(1024, 48_000, 2_000_000, 500_000, 24 * 1024), Vec::new());
        for n in (0..10).chain(60..80) {
            cutter.push(n * 1024, &mut cuts);
        }
        let shape: Vec<_> = cuts.iter().map(|cut| (cut.start / 1024, cut.end / 1024, cut.last.is_some())).collect();
        assert_eq!(shape, [(0, 24, true), (24, 47, false), (47, 71, true)]);
    }

    #[test]
    fn what_another_worker_has_begun_is_gone_on_with_in_parts_that_are_no_longer() {
        for frames in [23, 24, 30, 46, 47, 69, 71, 92, 94] {
            let cutter = AudioCutter::new(1024, 48_000, 2_000_000, 500_000, 24 * 1024);
            let (mut cutter, mut cuts) = (cutter.resume(7, 7 + frames * 1024), Vec::new());
            for n in frames..500 {
                cutter.push(7 + n * 1024, &mut cuts);
            }
            let lengths: Vec<_> = cuts.iter().map(|cut| (cut.end - cut.start) / 1024).collect();
            assert!(lengths.iter().all(|length| (1..=24).contains(length)), "{frames}: {lengths:?}");
            assert_eq!((cuts[0].start, cuts[0].starts_segment), (7 + frames * 1024, frames == 94));
            let next = cuts.iter().find(|cut| cut.starts_segment).map(|cut| (cut.start - 7) / 1024);
            assert_eq!(next, Some(94), "{frames}");
        }
    }
}
