use serde::{Deserialize, Serialize};

use crate::{Msn, PartIndex};

/// A place in a timeline: everything up to and with this part. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The segment.
    pub msn: Msn,
    /// The part in it.
    pub part: PartIndex,
}

/// Up to where an answer shows a timeline: everything up to there and nothing after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AsOf {
    /// Up to and with this part. What is shown depends on the log up to there alone, whatever else is known.
    Part(Position),
    /// All that is known, and the end where the session is over.
    End,
}

/// How many segments a part that is asked for may lie behind the newest one, for the timeline to be shown as of that part exactly:
/// beyond that, parts that were listed then may be forgotten.
pub const AS_OF_LAG_SEGMENTS: u64 = 2;
