use alloc::{boxed::Box, vec, vec::Vec};

use crate::{
    bytes::{Broken, Reader, put},
    event::stir,
};

/// How many different viewers there were, about: HyperLogLog with 2^12 registers (1.6 %), exact up to 1,024; or with 2^8 (6.5 %), exact
/// up to 64, where there are many of them.
///
/// By hand and not by the `datasketches` crate, which costs the component its tables of estimators; [`Self::image`] is what engines with
/// that library read. Merging is a union: order and repetition do not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uniques {
    lg_k: u8,
    registers: Registers,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Registers {
    /// Coupons in order: 6 bits of rank above 26 bits of address.
    Sparse(Vec<u32>),
    Dense(Box<[u8]>),
}

const LG_K: u8 = 12;
const LG_K_SMALL: u8 = 8;
const ADDRESS_BITS: u32 = 26;
const RANK_MAX: u32 = 63;

impl Default for Uniques {
    fn default() -> Self {
        Self::of(LG_K)
    }
}

impl Uniques {
    /// Nobody, with 2^8 registers: 256 bytes at the most.
    #[must_use]
    pub fn small() -> Self {
        Self::of(LG_K_SMALL)
    }

    fn of(lg_k: u8) -> Self {
        Self { lg_k, registers: Registers::Sparse(Vec::new()) }
    }

    fn k(&self) -> usize {
        1 << self.lg_k
    }

    /// As many coupons as the registers take bytes.
    fn sparse_max(&self) -> usize {
        self.k() / 4
    }

    /// Adds somebody, by a hash that spreads evenly.
    pub fn add(&mut self, viewer: u64) {
        let rank = stir(viewer).leading_zeros().min(RANK_MAX - 1) + 1;
        self.add_coupon((rank << ADDRESS_BITS) | (viewer as u32 & ((1 << ADDRESS_BITS) - 1)));
    }

    fn add_coupon(&mut self, coupon: u32) {
        let (k, sparse_max) = (self.k(), self.sparse_max());
        match &mut self.registers {
            Registers::Sparse(coupons) => {
                if let Err(at) = coupons.binary_search(&coupon) {
                    coupons.insert(at, coupon);
                    if coupons.len() > sparse_max {
                        self.registers = Registers::Dense(dense(coupons, k));
                    }
                }
            }
            Registers::Dense(registers) => raise(registers, coupon),
        }
    }

    /// Adds everybody of another of the same size.
    pub fn merge(&mut self, other: &Self) {
        match (&mut self.registers, &other.registers) {
            (_, Registers::Sparse(coupons)) => coupons.iter().for_each(|coupon| self.add_coupon(*coupon)),
            (Registers::Dense(registers), Registers::Dense(others)) => {
                registers.iter_mut().zip(others).for_each(|(mine, other)| *mine = (*mine).max(*other));
            }
            (Registers::Sparse(coupons), Registers::Dense(others)) => {
                let mut registers = others.clone();
                coupons.iter().for_each(|coupon| raise(&mut registers, *coupon));
                self.registers = Registers::Dense(registers);
            }
        }
    }

    /// How many, about.
    #[must_use]
    pub fn estimate(&self) -> u64 {
        let registers = match &self.registers {
            Registers::Sparse(coupons) => return coupons.len() as u64,
            Registers::Dense(registers) => registers,
        };
        // Ertl's improved raw estimator; no register is ever full, so its tau is 0.
        let mut counts = [0u32; 64];
        for register in registers.iter() {
            if let Some(count) = counts.get_mut(usize::from(*register)) {
                *count += 1;
            }
        }
        let m = self.k() as f64;
        let z = counts.iter().skip(1).rev().fold(0.0, |z, count| 0.5 * (z + f64::from(*count)));
        let empty = counts.first().copied().unwrap_or(0);
        let z = z + m * sigma(f64::from(empty) / m);
        (core::f64::consts::LOG2_E * 0.5 * m * m / z + 0.5) as u64
    }

    /// As the DataSketches library reads it: an HLL_8 of this lg_k.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let registers = match &self.registers {
            Registers::Sparse(coupons) => dense(coupons, self.k()),
            Registers::Dense(registers) => registers.clone(),
        };
        let sum = |low: bool| -> f64 {
            let of = registers.iter().filter(|rank| (**rank < 32) == low);
            of.map(|rank| 1.0 / (1u64 << u32::from(*rank).min(RANK_MAX)) as f64).sum()
        };
        let empty = registers.iter().filter(|rank| **rank == 0).count() as u32;
        // 10 integers in front, version 1, family HLL, lg_k, out of order, curMin 0, HLL mode with 8 bits.
        let mut image = vec![10, 1, 7, self.lg_k, 0, 16, 0, 2 | (2 << 2)];
        for float in [0.0, sum(true), sum(false)] {
            image.extend_from_slice(&f64::to_le_bytes(float));
        }
        image.extend_from_slice(&empty.to_le_bytes());
        image.extend_from_slice(&0u32.to_le_bytes());
        image.extend_from_slice(&registers);
        image
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.registers {
            Registers::Sparse(coupons) => {
                put(out, coupons.len() as u64);
                let mut before = 0;
                for coupon in coupons {
                    put(out, u64::from(coupon - before));
                    before = *coupon;
                }
            }
            Registers::Dense(registers) => {
                put(out, self.sparse_max() as u64 + 1);
                out.extend_from_slice(registers);
            }
        }
    }

    /// Reads its bytes in place of what it is.
    pub(crate) fn read(self, reader: &mut Reader<'_>) -> Result<Self, Broken> {
        let count = reader.count()?;
        if count > self.sparse_max() {
            let registers: Box<[u8]> = reader.take(self.k())?.into();
            let valid = registers.iter().all(|rank| u32::from(*rank) <= RANK_MAX);
            return if valid { Ok(Self { registers: Registers::Dense(registers), ..self }) } else { Err(Broken) };
        }
        let mut coupons = Vec::with_capacity(count);
        let mut coupon = 0u32;
        for at in 0..count {
            let step = u32::try_from(reader.number()?).map_err(|_| Broken)?;
            coupon = coupon.checked_add(step).ok_or(Broken)?;
            if (at > 0 && step == 0) || coupon >> ADDRESS_BITS == 0 {
                return Err(Broken);
            }
            coupons.push(coupon);
        }
        Ok(Self { registers: Registers::Sparse(coupons), ..self })
    }
}

fn dense(coupons: &[u32], k: usize) -> Box<[u8]> {
    let mut registers = vec![0; k].into_boxed_slice();
    coupons.iter().for_each(|coupon| raise(&mut registers, *coupon));
    registers
}

fn raise(registers: &mut [u8], coupon: u32) {
    // Their number is a power of two.
    let place = coupon as usize & (registers.len() - 1);
    if let Some(register) = registers.get_mut(place) {
        *register = (*register).max((coupon >> ADDRESS_BITS) as u8);
    }
}

fn sigma(mut x: f64) -> f64 {
    let (mut y, mut z) = (1.0, x);
    // It converges within 40 steps; at 1, without a register that is taken, never.
    for _ in 0..64 {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            break;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(viewers: impl Iterator<Item = u64>) -> Uniques {
        let mut uniques = Uniques::default();
        viewers.for_each(|viewer| uniques.add(stir(viewer.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
        uniques
    }

    #[test]
    fn up_to_a_thousand_it_is_exact_and_then_within_the_error_of_4096_registers() {
        for count in [0, 1, 100, 1000, 1024] {
            assert_eq!(of(0..count).estimate(), count);
        }
        for (seed, count) in [(1, 1500), (2, 5000), (3, 10_000), (4, 20_000), (5, 100_000), (6, 1_000_000u64)] {
            let estimate = of((0..count).map(|n| n + (seed << 40))).estimate();
            let error = estimate.abs_diff(count) as f64 / count as f64;
            assert!(error < 0.05, "{count}: {estimate}");
        }
    }

    #[test]
    fn the_error_is_that_of_hyperloglog_over_many_sketches() {
        for count in [2000u64, 8000, 30_000] {
            let errors: Vec<f64> = (0..60u64)
                .map(|seed| (of((0..count).map(|n| n + (seed << 32) + (count << 48))).estimate() as f64 - count as f64) / count as f64)
                .collect();
            let mean = errors.iter().sum::<f64>() / 60.0;
            let rms = (errors.iter().map(|error| error * error).sum::<f64>() / 60.0).sqrt();
            assert!(mean.abs() < 0.006 && rms < 0.022, "{count}: bias {mean}, error {rms}");
        }
    }

    #[test]
    fn small_ones_are_exact_up_to_64_and_then_within_the_error_of_256_registers() {
        let small = |viewers: core::ops::Range<u64>| {
            let mut uniques = Uniques::small();
            viewers.for_each(|viewer| uniques.add(stir(viewer.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
            uniques
        };
        for count in [0, 1, 64] {
            assert_eq!(small(0..count).estimate(), count);
        }
        for count in [100u64, 1000, 100_000] {
            let error = |seed: u64| {
                let from = seed << 32 | count << 48;
                let mut uniques = small(from..from + count / 2);
                uniques.merge(&small(from + count / 3..from + count));
                let mut bytes = Vec::new();
                uniques.write(&mut bytes);
                assert_eq!(Uniques::small().read(&mut Reader(&bytes)), Ok(uniques.clone()));
                (uniques.estimate() as f64 - count as f64) / count as f64
            };
            let rms = ((0..40).map(|seed| error(seed).powi(2)).sum::<f64>() / 40.0).sqrt();
            assert!(rms < 0.085, "{count}: {rms}");
        }
    }

    #[test]
    fn the_datasketches_library_reads_the_same_number() {
        for count in [10u64, 900, 5000, 200_000] {
            let mine = of(0..count);
            let theirs = datasketches::hll::HllSketch::deserialize(&mine.image()).unwrap().estimate();
            let error = (theirs - mine.estimate() as f64).abs() / count as f64;
            assert!(error < 0.02, "{count}: {theirs} and {}", mine.estimate());
        }
    }
}
