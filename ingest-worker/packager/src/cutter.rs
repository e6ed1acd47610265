use alloc::{collections::VecDeque, vec::Vec};

/// A part of the lead that is complete: what every other rendition is cut by. Times are in ticks of the lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cut {
    /// Where it starts.
    pub(crate) start: i64,
    /// Where it ends and the next one starts.
    pub(crate) end: i64,
    /// The lead's last frame in it; `None` where it has none.
    pub(crate) last: Option<i64>,
    /// It is the first of a segment.
    pub(crate) starts_segment: bool,
}

/// Lengths that decide where the video lead is cut, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lengths {
    /// Of a frame; 0 where the rate varies.
    pub(crate) frame: i64,
    /// Of a part, at most.
    pub(crate) part: i64,
    /// Of a segment: an earlier sync frame does not end it.
    pub(crate) segment_min: i64,
    /// Of a segment at most, or EXT-X-TARGETDURATION is broken.
    pub(crate) segment_max: i64,
    /// What a last frame gets whose duration nobody knows.
    pub(crate) last_frame: i64,
}

/// Decides where parts and segments of a video lead end.
///
/// Everything follows from decode times relative to the start of the segment. At a constant rate a part is complete with its
/// last frame; the next one need not be waited for.
#[derive(Clone, Debug)]
pub(crate) struct Cutter {
    lengths: Lengths,
    segment: Option<i64>,
    part: i64,
    /// Where the part would end on the grid of the segment.
    bound: i64,
    /// Decode times of the last two frames in the open part.
    newest: Option<i64>,
    before: Option<i64>,
    starts_segment: bool,
    last_sync: Option<i64>,
    intervals: VecDeque<i64>,
}

/// Key frame intervals that are remembered to tell whether a later key frame can still end the segment in time.
const INTERVALS: usize = 4;

impl Cutter {
    pub(crate) fn new(lengths: Lengths) -> Self {
        Self {
            lengths,
            segment: None,
            part: 0,
            bound: 0,
            newest: None,
            before: None,
            starts_segment: false,
            last_sync: None,
            intervals: VecDeque::new(),
        }
    }

    /// The decode time that a frame of this time gets: a part that is already complete is not opened again, and what is
    /// less than half a frame after its end follows it without a hole.
    pub(crate) fn admit(&self, tick: i64) -> i64 {
        let follows = self.segment.is_some() && self.newest.is_none() && tick - self.part < (self.lengths.frame / 2).max(1);
        if follows { self.part } else { tick }
    }

    /// Takes the next frame; `force` starts a segment at it whatever its length.
    pub(crate) fn push(&mut self, tick: i64, sync: bool, force: bool, cuts: &mut Vec<Cut>) {
        if self.segment.is_none() {
            self.start_segment(tick);
        } else if sync && (force || self.ends_segment(tick)) {
            self.close_until(tick, cuts);
            self.start_segment(tick);
        } else {
            self.close_until_fits(tick, cuts);
        }
        if sync {
            if let Some(last) = self.last_sync {
                self.intervals.push_back(tick - last);
                if self.intervals.len() > INTERVALS {
                    self.intervals.pop_front();
                }
            }
            self.last_sync = Some(tick);
        }
        self.before = self.newest;
        self.newest = Some(tick);
        self.close_early(tick, cuts);
    }

    /// Where the open segment started.
    pub(crate) fn segment(&self) -> Option<i64> {
        self.segment
    }

    /// How long the segment is that has just become too long.
    pub(crate) fn too_long(&self, tick: i64) -> Option<i64> {
        let length = tick - self.segment?;
        (length > self.lengths.segment_max).then_some(length)
    }

    /// No more frames come: closes the open part.
    pub(crate) fn finish(&mut self, cuts: &mut Vec<Cut>) {
        if let Some(newest) = self.newest {
            let last =
                if self.lengths.frame > 0 { self.lengths.frame } else { self.before.map_or(self.lengths.last_frame, |b| newest - b) };
            if newest > self.part && newest + last > self.limit() && self.lengths.frame == 0 {
                self.close_before_newest(newest, cuts);
            }
            self.close((newest + last).min(self.limit()), cuts);
        }
    }

    /// Where the open part ends at the latest.
    fn limit(&self) -> i64 {
        self.bound.min(self.part + self.lengths.part)
    }

    /// Whether a sync frame at this time ends the segment: it is long enough, or the next one would come too late.
    fn ends_segment(&self, tick: i64) -> bool {
        let Some(segment) = self.segment else { return true };
        let length = tick - segment;
        let next = self.intervals.iter().max().map_or(0, |interval| length + interval);
        length >= self.lengths.segment_min || (length > 0 && next > self.lengths.segment_max)
    }

    fn start_segment(&mut self, tick: i64) {
        self.segment = Some(tick);
        self.part = tick;
        self.bound = tick + self.lengths.part;
        self.starts_segment = true;
    }

    /// Closes what lies before a frame that starts a segment.
    fn close_until(&mut self, tick: i64, cuts: &mut Vec<Cut>) {
        self.close_until_fits(tick, cuts);
        if self.newest.is_some() {
            self.close(tick.min(self.limit()), cuts);
        }
        // What the lead lacks other renditions may have; a single frame is not worth a record.
        let frame = if self.lengths.frame > 0 { self.lengths.frame } else { self.lengths.last_frame };
        if tick - self.part >= 2 * frame {
            self.close(tick, cuts);
        }
    }

    /// Closes parts until a frame at this time fits in the open one.
    fn close_until_fits(&mut self, tick: i64, cuts: &mut Vec<Cut>) {
        // A jump of more than 3 s is a new period, so there are few turns.
        loop {
            match self.newest {
                Some(_) if self.lengths.frame > 0 => {
                    if tick + self.lengths.frame <= self.limit() + self.lengths.frame / 4 {
                        return;
                    }
                    self.close(tick.min(self.limit()), cuts);
                }
                Some(newest) => {
                    if tick < self.limit() {
                        return;
                    }
                    if tick > self.limit() && newest > self.part {
                        self.close_before_newest(newest, cuts);
                    } else {
                        self.close(self.limit(), cuts);
                    }
                }
                None if tick >= self.limit() => self.close(self.limit(), cuts),
                None => return,
            }
        }
    }

    /// At a varying rate the newest frame turned out to be too long for the part: it is the first of the next.
    fn close_before_newest(&mut self, newest: i64, cuts: &mut Vec<Cut>) {
        self.newest = self.before;
        self.close(newest, cuts);
        self.newest = Some(newest);
        self.before = None;
    }

    /// At a constant rate the part is complete when no further frame fits, or when the next is the expected key frame.
    fn close_early(&mut self, tick: i64, cuts: &mut Vec<Cut>) {
        let frame = self.lengths.frame;
        if frame == 0 {
            return;
        }
        let end = tick + frame;
        if end + frame > self.limit() + frame / 4 {
            return self.close(end.min(self.limit()), cuts);
        }
        let next_sync = self.last_sync.zip(self.intervals.back()).map(|(last, interval)| last + interval);
        if let Some(next_sync) = next_sync.filter(|at| *at > tick && self.ends_segment(*at))
            && (end - next_sync).abs() <= frame / 2
        {
            self.close(end, cuts);
            self.bound = end + self.lengths.part;
        }
    }

    fn close(&mut self, end: i64, cuts: &mut Vec<Cut>) {
        cuts.push(Cut { start: self.part, end, last: self.newest, starts_segment: self.starts_segment });
        self.starts_segment = false;
        self.newest = None;
        self.before = None;
        self.part = end;
        if self.lengths.frame == 0 {
            self.bound = end + self.lengths.part;
        } else {
            // At most two turns: a part is at most a frame shorter or longer than its share of the grid.
            while self.bound < end + self.lengths.part / 2 {
                self.bound += self.lengths.part;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(frame: i64, part: i64) -> Lengths {
        Lengths { frame, part, segment_min: 180_000 - part / 2, segment_max: 225_000, last_frame: 3000 }
    }

    /// Each cut as `start-end`, segments set apart by `|`; starts are relative to the first frame.
    fn cut(lengths: Lengths, frames: impl Iterator<Item = (i64, bool)>) -> alloc::string::String {
        let (mut cutter, mut cuts) = (Cutter::new(lengths), Vec::new());
        for (tick, sync) in frames {
            let tick = cutter.admit(tick);
            cutter.push(tick, sync, false, &mut cuts);
        }
        cutter.finish(&mut cuts);
        let text = |cut: &Cut| {
            let mark = if cut.starts_segment { "| " } else { "" };
            let gap = if cut.last.is_none() { "gap " } else { "" };
            alloc::format!("{mark}{gap}{}-{}", cut.start, cut.end)
        };
        cuts.iter().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn thirty_frames_make_four_equal_parts() {
        let frames = (0..75).map(|n| (n * 3000, n % 60 == 0));
        let golden = "| 0-45000 45000-90000 90000-135000 135000-180000 | 180000-225000";
        assert_eq!(cut(lengths(3000, 45_000), frames), golden);
    }

    #[test]
    fn a_part_is_complete_with_its_last_frame() {
        let (mut cutter, mut cuts) = (Cutter::new(lengths(3000, 45_000)), Vec::new());
        for n in 0..15 {
            assert!(cuts.is_empty());
            cutter.push(n * 3000, n == 0, false, &mut cuts);
        }
        assert_eq!(cuts, [Cut { start: 0, end: 45_000, last: Some(42_000), starts_segment: true }]);
    }

    #[test]
    fn the_shorter_last_part_of_a_regular_gop_is_complete_with_its_last_frame_too() {
        let (mut cutter, mut cuts) = (Cutter::new(lengths(3600, 46_800)), Vec::new());
        for n in 0..100 {
            cutter.push(n * 3600, n % 50 == 0, false, &mut cuts);
        }
        let last = cuts.last().unwrap();
        assert_eq!((last.start, last.end), (50 * 3600 + 3 * 46_800, 100 * 3600));
        assert_eq!(cuts.len(), 8);
    }

    #[test]
    fn a_key_frame_that_does_not_come_as_expected_leaves_a_short_part() {
        let frames = (0..115).map(|n| (n * 3600, n % 50 == 0 && n < 100));
        let golden = "| 0-46800 46800-93600 93600-140400 140400-180000 \
                      | 180000-226800 226800-273600 273600-320400 320400-360000 360000-406800 406800-414000";
        assert_eq!(cut(lengths(3600, 46_800), frames), golden);
    }

    #[test]
    fn early_key_frames_do_not_cut_unless_the_next_would_be_too_late() {
        let every = |interval| (0..120).map(move |n| (n * 3000, n % interval == 0));
        let starts = |text: alloc::string::String| text.matches('|').count();
        assert_eq!(starts(cut(lengths(3000, 45_000), every(30))), 2);
        // 1.5 s: two of them would be 3 s.
        assert_eq!(starts(cut(lengths(3000, 45_000), every(45))), 3 - 1);
        assert_eq!(starts(cut(lengths(3000, 45_000), (0..240).map(|n| (n * 3000, n % 45 == 0)))), 5);
    }

    #[test]
    fn lost_frames_make_the_one_before_longer_and_lost_parts_are_gaps() {
        let lost = |n: &i64| !(14..16).contains(n) && !(30..50).contains(n);
        let frames = (0..60).filter(lost).map(|n| (n * 3000, n == 0));
        let golden = "| 0-45000 45000-90000 gap 90000-135000 135000-180000";
        assert_eq!(cut(lengths(3000, 45_000), frames), golden);
    }

    #[test]
    fn a_varying_rate_closes_before_the_target_is_passed() {
        let golden = "| 0-40000 40000-85000 85000-129000 gap 129000-174000 174000-177000";
        let frames = [0, 10_000, 30_000, 40_000, 60_000, 85_000, 88_000, 175_000].map(|tick| (tick, tick == 0));
        let text = cut(lengths(0, 45_000), frames.into_iter());
        assert!(text.starts_with("| 0-40000 40000-85000 "), "{text} {golden}");
    }
}
