use alloc::vec::Vec;

use crate::bytes::{Broken, Reader, put, put_signed};

/// Milliseconds watched, by cells of 10 s since 1970. Viewers at one time are what a cell has by its length.
///
/// A report claims the time until the next one is due, and the next takes back what did not come true, so a cell may be added to and
/// taken from by several windows: only their sum means something. Merging adds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cells {
    cells: Vec<(u32, i64)>,
}

/// The length of a cell.
pub const CELL_MS: u64 = 10_000;
/// Beyond, a sum of milliseconds is no longer believed: 10^9 viewers for a day.
const SUM_MAX: i64 = 1_000_000_000 * 86_400_000;

impl Cells {
    /// Spreads an amount evenly over a stretch of time; not a millisecond is lost in rounding.
    pub fn spread(&mut self, from_ms: u64, to_ms: u64, amount: i64) {
        if amount == 0 {
            return;
        }
        if to_ms <= from_ms {
            return self.put(cell(from_ms), amount);
        }
        let length = i128::from(to_ms - from_ms);
        let (mut at, mut given) = (from_ms, 0);
        while at < to_ms {
            let end = ((at / CELL_MS + 1) * CELL_MS).min(to_ms);
            let sum = (i128::from(amount) * i128::from(end - from_ms) / length) as i64;
            self.put(cell(at), sum - given);
            (at, given) = (end, sum);
        }
    }

    fn put(&mut self, cell: u32, amount: i64) {
        match self.cells.binary_search_by_key(&cell, |(cell, _)| *cell) {
            Ok(at) => {
                if let Some((_, sum)) = self.cells.get_mut(at) {
                    *sum = sum.saturating_add(amount).clamp(-SUM_MAX, SUM_MAX);
                }
            }
            Err(at) => self.cells.insert(at, (cell, amount.clamp(-SUM_MAX, SUM_MAX))),
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        other.cells.iter().for_each(|(cell, amount)| self.put(*cell, *amount));
    }

    /// Viewers in the cell of this moment, in thousandths.
    #[must_use]
    pub fn viewers_milli(&self, at_ms: u64) -> u64 {
        let at = self.cells.binary_search_by_key(&cell(at_ms), |(cell, _)| *cell);
        let sum = at.ok().and_then(|at| self.cells.get(at)).map_or(0, |(_, sum)| *sum);
        u64::try_from(sum).unwrap_or(0) * 1000 / CELL_MS
    }

    /// What was watched in a stretch of whole cells, in ms, and the most that one cell has.
    #[must_use]
    pub fn watched(&self, from_ms: u64, to_ms: u64) -> (u64, u64) {
        let within = self.cells.iter().filter(|(at, _)| (cell(from_ms)..cell(to_ms)).contains(at));
        within.fold((0, 0), |(sum, most), (_, amount)| {
            let amount = u64::try_from(*amount).unwrap_or(0);
            (sum + amount, most.max(amount))
        })
    }

    /// Forgets what lies before or after.
    pub fn keep(&mut self, from_ms: u64, to_ms: u64) {
        self.cells.retain(|(at, _)| (cell(from_ms)..cell(to_ms)).contains(at));
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|(_, sum)| *sum == 0)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(out, self.cells.len() as u64);
        let mut before = 0;
        for (cell, amount) in &self.cells {
            put(out, u64::from(cell - before));
            put_signed(out, *amount);
            before = *cell;
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let count = reader.count()?;
        let mut cells: Vec<(u32, i64)> = Vec::new();
        let mut cell = 0u32;
        for at in 0..count {
            let step = u32::try_from(reader.number()?).map_err(|_| Broken)?;
            cell = cell.checked_add(step).ok_or(Broken)?;
            let amount = reader.signed()?;
            if (at > 0 && step == 0) || amount.abs_diff(0) > SUM_MAX.unsigned_abs() {
                return Err(Broken);
            }
            cells.push((cell, amount));
        }
        Ok(Self { cells })
    }
}

fn cell(at_ms: u64) -> u32 {
    u32::try_from(at_ms / CELL_MS).unwrap_or(u32::MAX)
}
