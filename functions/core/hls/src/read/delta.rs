use alloc::{string::String, vec::Vec};

use tidegate_stream::Msn;

use super::{Media, Segment};

/// Why a delta cannot be completed from the playlist before it; the whole playlist has to be read again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// The playlist before is itself a delta.
    #[error("the playlist before the delta is itself a delta")]
    PreviousIsDelta,
    /// Segments are left out that the playlist before does not have.
    #[error("the delta leaves out segment {0}, which the playlist before does not have")]
    Unknown(Msn),
}

impl Media {
    /// Completes a delta with what it leaves out, taken from the playlist before it; a whole playlist stays as it is.
    pub fn merge_delta(mut self, previous: Self) -> Result<Self, MergeError> {
        let Some(skip) = self.skip.take() else { return Ok(self) };
        if previous.skip.is_some() {
            return Err(MergeError::PreviousIsDelta);
        }
        let first = self.media_sequence;
        let from = first.0.checked_sub(previous.media_sequence.0).and_then(|from| usize::try_from(from).ok());
        let from = from.filter(|from| *from <= previous.segments.len()).ok_or(MergeError::Unknown(first))?;
        let count = usize::try_from(skip.segments).unwrap_or(usize::MAX);
        if count > previous.segments.len() - from {
            return Err(MergeError::Unknown(previous.open_msn()));
        }

        let Self { segments: known, date_ranges, .. } = previous;
        let mut segments: Vec<Segment> = known.into_iter().skip(from).take(count).collect();
        for segment in &mut segments {
            // What is so old that it may be left out has no parts in a whole playlist.
            segment.parts = Vec::new();
        }
        if let Some(last) = segments.last() {
            // The tags that are left out still hold for the first segments that are not.
            let passed = last.discontinuity_sequence.saturating_sub(self.discontinuity_sequence);
            for (index, segment) in self.segments.iter_mut().chain(&mut self.open).enumerate() {
                segment.discontinuity_sequence = segment.discontinuity_sequence.saturating_add(passed);
                if index < self.first_map {
                    segment.map.clone_from(&last.map);
                }
                if index < self.first_key {
                    segment.keys.clone_from(&last.keys);
                }
                if segment.bitrate_kbps.is_none() {
                    segment.bitrate_kbps = last.bitrate_kbps;
                }
            }
        }
        (self.first_map, self.first_key) = (0, 0);
        segments.append(&mut self.segments);
        self.segments = segments;

        if let Some(removed) = skip.recently_removed_dateranges {
            let own = &self.date_ranges;
            let stays = |id: &String| !removed.contains(id) && !own.iter().any(|range| range.id == *id);
            let mut ranges: Vec<_> = date_ranges.into_iter().filter(|range| stays(&range.id)).collect();
            ranges.append(&mut self.date_ranges);
            self.date_ranges = ranges;
        }
        Ok(self)
    }
}
