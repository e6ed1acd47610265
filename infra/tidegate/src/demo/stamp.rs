//! A clock that a program can read from the picture: 60 black or white cells side by side along the top edge.
//!
//! | cells | mean |
//! |---|---|
//! | 2 | white, black: there is a stamp |
//! | 42 | milliseconds since 1970, highest bit first |
//! | 12 | number of the frame, modulo 4096 |
//! | 4 | all groups of four bits of the 54 before them, xor-ed together |
//!
//! A cell is 16 pixels wide in the source, one macroblock of H.264, so that it survives low bitrates and scaling.

/// Cells in a stamp; they share the whole width of the picture.
pub const CELLS: usize = 60;

const TIME_BITS: u32 = 42;
const FRAME_BITS: u32 = 12;
const CHECK_BITS: u32 = 4;

/// What one frame says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// When the frame was drawn, in ms since 1970.
    pub utc_ms: u64,
    /// Its number, modulo 4096.
    pub frame: u16,
}

impl Stamp {
    /// The cells from left to right; `true` is white.
    #[must_use]
    pub fn cells(self) -> [bool; CELLS] {
        let body = ((self.utc_ms & mask(TIME_BITS)) << FRAME_BITS) | (u64::from(self.frame) & mask(FRAME_BITS));
        let word = (0b10 << (TIME_BITS + FRAME_BITS + CHECK_BITS)) | (body << CHECK_BITS) | check(body);
        core::array::from_fn(|at| (word >> (CELLS - 1 - at)) & 1 == 1)
    }

    /// Reads the cells of a picture from the brightness of its top rows: one row of pixels, from the middle of the stamp.
    #[must_use]
    pub fn read(row: &[u8]) -> Option<Self> {
        let word = (0..CELLS).try_fold(0u64, |word, cell| {
            let brightness = *row.get((2 * cell + 1) * row.len() / (2 * CELLS))?;
            Some((word << 1) | u64::from(brightness > 127))
        })?;
        let body = (word >> CHECK_BITS) & mask(TIME_BITS + FRAME_BITS);
        let there = word >> (TIME_BITS + FRAME_BITS + CHECK_BITS) == 0b10 && word & mask(CHECK_BITS) == check(body);
        there.then_some(Self { utc_ms: body >> FRAME_BITS, frame: (body & mask(FRAME_BITS)) as u16 })
    }
}

fn mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

fn check(body: u64) -> u64 {
    (0..16).fold(0, |sum, group| sum ^ ((body >> (4 * group)) & 15))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stamp: Stamp, width: usize) -> Vec<u8> {
        let cells = stamp.cells();
        (0..width).map(|x| if cells[x * CELLS / width] { 230 } else { 20 }).collect()
    }

    #[test]
    fn a_stamp_is_read_back_at_any_width_of_the_ladder() {
        let stamp = Stamp { utc_ms: 1_795_407_637_123, frame: 4095 };
        for width in [960, 640, 416, 240, 120] {
            assert_eq!(Stamp::read(&row(stamp, width)), Some(stamp), "{width}");
        }
    }

    #[test]
    fn a_picture_without_a_stamp_has_none() {
        assert_eq!(Stamp::read(&[0; 960]), None);
        assert_eq!(Stamp::read(&[255; 960]), None);
        assert_eq!(Stamp::read(&[]), None);
    }

    #[test]
    fn one_wrong_cell_is_noticed() {
        let stamp = Stamp { utc_ms: 1_795_407_637_123, frame: 77 };
        for cell in 0..CELLS {
            let mut row = row(stamp, 960);
            row[cell * 16..(cell + 1) * 16].iter_mut().for_each(|pixel| *pixel = 250 - *pixel);
            assert_eq!(Stamp::read(&row), None, "{cell}");
        }
    }
}
