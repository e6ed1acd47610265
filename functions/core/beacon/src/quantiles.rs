use alloc::vec::Vec;

use crate::bytes::{Broken, Reader, put};

/// Quantiles within 1 %: a DDSketch whose classes are linear within each power of two (64 of them: 0.78 %), over whole numbers. Or
/// within 3.2 % (16 of them), where there are many of them.
///
/// By hand: without logarithms it is the same on every machine and costs the component a tenth of a library. Merging adds counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quantiles {
    /// Classes of one power of two, as a power of two.
    lg_classes: u8,
    /// Classes in order with how many values fell into each.
    classes: Vec<(u16, u32)>,
}

const LG_CLASSES: u8 = 6;
const LG_CLASSES_SMALL: u8 = 4;

impl Default for Quantiles {
    fn default() -> Self {
        Self { lg_classes: LG_CLASSES, classes: Vec::new() }
    }
}

impl Quantiles {
    /// No values, with 16 classes for each power of two.
    #[must_use]
    pub fn small() -> Self {
        Self { lg_classes: LG_CLASSES_SMALL, classes: Vec::new() }
    }

    /// Adds a value.
    pub fn add(&mut self, value: u32) {
        self.put(self.class(value), 1);
    }

    fn put(&mut self, class: u16, count: u32) {
        match self.classes.binary_search_by_key(&class, |(class, _)| *class) {
            Ok(at) => {
                if let Some((_, known)) = self.classes.get_mut(at) {
                    *known = known.saturating_add(count);
                }
            }
            Err(at) => self.classes.insert(at, (class, count)),
        }
    }

    /// Adds the values of another of the same size.
    pub fn merge(&mut self, other: &Self) {
        other.classes.iter().for_each(|(class, count)| self.put(*class, *count));
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// The value that so many of a thousand do not exceed.
    #[must_use]
    pub fn at(&self, per_mille: u64) -> Option<u32> {
        let count = self.count();
        let rank = (count * per_mille.min(1000)).div_ceil(1000).max(1);
        let mut below = 0;
        for (class, values) in &self.classes {
            below += u64::from(*values);
            if below >= rank {
                return Some(self.middle(*class));
            }
        }
        None
    }

    /// Each class with its lowest value, its highest and its count, for a picture of the distribution.
    pub fn classes(&self) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
        self.classes.iter().map(|(class, count)| (self.low(*class), self.low(class + 1).saturating_sub(1).max(self.low(*class)), *count))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put(out, self.classes.len() as u64);
        let mut before = 0;
        for (class, count) in &self.classes {
            put(out, u64::from(class - before));
            put(out, u64::from(*count));
            before = *class;
        }
    }

    /// Reads its bytes in place of what it is.
    pub(crate) fn read(self, reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let count = reader.count()?;
        let mut classes: Vec<(u16, u32)> = Vec::with_capacity(count.min(usize::from(self.classes_end())));
        let mut class = 0u16;
        for at in 0..count {
            let step = u16::try_from(reader.number()?).map_err(|_| Broken)?;
            class = class.checked_add(step).filter(|class| *class < self.classes_end()).ok_or(Broken)?;
            if at > 0 && step == 0 {
                return Err(Broken);
            }
            classes.push((class, u32::try_from(reader.number()?).map_err(|_| Broken)?));
        }
        Ok(Self { classes, ..self })
    }

    /// One beyond the class of the largest value.
    fn classes_end(&self) -> u16 {
        let lg = u16::from(self.lg_classes);
        (32 - lg + 1) << lg
    }

    /// Values below 64 are classes of their own; above, a class is the power of two and the six bits below its leading one. Of small ones
    /// 16 and four.
    fn class(&self, value: u32) -> u16 {
        let lg = u32::from(self.lg_classes);
        let power = if value < 1 << lg { 0 } else { (31 - lg).saturating_sub(value.leading_zeros()) };
        ((power << lg) + (value >> power)) as u16
    }

    fn low(&self, class: u16) -> u32 {
        let (class, lg) = (u32::from(class), u32::from(self.lg_classes));
        let power = (class >> lg).saturating_sub(1);
        u32::try_from(u64::from(class - (power << lg)) << power).unwrap_or(u32::MAX)
    }

    fn middle(&self, class: u16) -> u32 {
        let (from, to) = (self.low(class), self.low(class + 1));
        from + to.saturating_sub(from + 1) / 2
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_value_is_known_within_one_percent(value: u32) {
            let mut quantiles = Quantiles::default();
            quantiles.add(value);
            let found = quantiles.at(500).unwrap();
            prop_assert!(u64::from(found.abs_diff(value)) * 100 <= u64::from(value), "{value}: {found}");
            let mut small = Quantiles::small();
            small.add(value);
            let found = small.at(500).unwrap();
            prop_assert!(u64::from(found.abs_diff(value)) * 1000 <= u64::from(value) * 32, "{value}: {found} of a small one");
            for sketch in [quantiles, small] {
                prop_assert!(sketch.class(value) < sketch.classes_end());
                let mut bytes = Vec::new();
                sketch.write(&mut bytes);
                let empty = Quantiles { classes: Vec::new(), ..sketch };
                prop_assert_eq!(empty.read(&mut Reader(&bytes)), Ok(sketch));
            }
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(mut values in proptest::collection::vec(0u32..10_000_000, 1..300), per_mille in 0u64..=1000) {
            let mut quantiles = Quantiles::default();
            values.iter().for_each(|value| quantiles.add(*value));
            values.sort_unstable();
            let rank = (values.len() as u64 * per_mille).div_ceil(1000).max(1);
            let exact = values[rank as usize - 1];
            let found = quantiles.at(per_mille).unwrap();
            prop_assert!(u64::from(found.abs_diff(exact)) * 100 <= u64::from(exact), "{exact}: {found}");
        }
    }
}
