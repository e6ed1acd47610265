//! Windows as rows of a table, for engines that read files. A row says what the API says of the same time.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    CELL_MS,
    cells::Cells,
    figures::Figures,
    quantiles::Quantiles,
    rollup::BLOCK,
    window::{Dimension, Tally, Window},
};

const MINUTE_MS: u64 = 60_000;

/// What was reported of a stream in a minute or an hour (of five minutes, where it is about a value of a dimension): by all viewers, or by those of one value of a dimension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// When it begins, in ms since 1970.
    pub at_ms: u64,
    /// How long it is.
    pub length_ms: u64,
    /// What was counted, without when within the time.
    pub tally: Tally,
    /// Different viewers.
    pub uniques: u64,
    /// Of start-up times, in ms.
    pub startup_ms: Spread,
    /// Of distances from live, in ms.
    pub latency_ms: Spread,
    /// Whom it is about.
    pub of: Of,
}

/// Whom a row is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Of {
    /// All viewers.
    All(Whole),
    /// Those with this value. Places of a few people are added up.
    Value(Dimension, String),
}

/// What is known of all viewers only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Whole {
    /// Time watched in it, in ms, whenever it was reported.
    pub watched_ms: u64,
    /// The most viewers in any 10 s.
    pub viewers_peak: u64,
    /// Pictures that were dropped.
    pub dropped_frames: u64,
    /// Lines counted.
    pub events: u64,
    /// Lines that were not.
    pub dropped_events: u64,
}

/// A sketch in five numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    /// Values.
    pub count: u64,
    /// Half of them, 90, 95 and 99 of 100 are not above; `None` where there are no values.
    pub at: [Option<u64>; 4],
}

/// The rows of windows of this length; those of minutes have values of dimensions for [`BLOCK`] together. `cells` say when all was watched,
/// as far as any window tells of it.
#[must_use]
pub fn rows(windows: &BTreeMap<u64, Window>, length_ms: u64, cells: &Cells) -> Vec<Row> {
    let mut rows = Vec::new();
    let block = if length_ms == MINUTE_MS { BLOCK } else { 1 };
    let mut blocks: BTreeMap<u64, Window> = BTreeMap::new();
    for (number, window) in windows {
        let at_ms = number.saturating_mul(length_ms);
        let figures = Figures { from_ms: at_ms, to_ms: at_ms.saturating_add(length_ms), window, cells };
        let sum = blocks.entry(number / block).or_default();
        sum.merge(&Window { by: window.by.clone(), ..Window::default() });
        rows.push(Row {
            at_ms,
            length_ms,
            tally: Tally { cells: Cells::default(), ..window.all.clone() },
            uniques: window.uniques.estimate(),
            startup_ms: spread(&window.startup_ms),
            latency_ms: spread(&window.latency_ms),
            of: Of::All(figures.whole()),
        });
    }
    for (number, window) in &blocks {
        let length_ms = length_ms.saturating_mul(block);
        let at_ms = number.saturating_mul(length_ms);
        let figures = Figures { from_ms: at_ms, to_ms: at_ms.saturating_add(length_ms), window, cells };
        for dimension in Dimension::ALL {
            let values = figures.shares(dimension).into_iter();
            rows.extend(values.map(|(value, share)| Row {
                at_ms,
                length_ms,
                uniques: share.uniques.estimate(),
                startup_ms: spread(&share.startup_ms),
                latency_ms: spread(&share.latency_ms),
                tally: Tally { cells: Cells::default(), ..share.tally },
                of: Of::Value(dimension, value),
            }));
        }
    }
    rows
}

impl Figures<'_> {
    fn whole(&self) -> Whole {
        let Window { dropped_frames, events, dropped_events, .. } = self.window;
        let (watched_ms, most_ms) = self.cells.watched(self.from_ms, self.to_ms);
        Whole {
            watched_ms,
            viewers_peak: (most_ms + CELL_MS / 2) / CELL_MS,
            dropped_frames: *dropped_frames,
            events: *events,
            dropped_events: *dropped_events,
        }
    }
}

fn spread(sketch: &Quantiles) -> Spread {
    Spread { count: sketch.count(), at: [500, 900, 950, 990].map(|per_mille| sketch.at(per_mille).map(Into::into)) }
}
