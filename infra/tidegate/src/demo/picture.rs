//! The demo's picture: a sea at dusk with a clock over it. Pure: a frame is a function of its number and of the time.

use super::{
    glyphs::{ADVANCE, WIDTH as GLYPH_WIDTH, glyph},
    stamp::{CELLS, Stamp},
};

/// Pixels of a frame.
pub const WIDTH: usize = 960;
/// Rows of a frame.
pub const HEIGHT: usize = 540;
/// Frames in a second.
pub const RATE: u32 = 30;
/// Bytes of a frame: 8-bit YUV 4:2:0, BT.709 limited range.
pub const FRAME_BYTES: usize = WIDTH * HEIGHT * 3 / 2;

/// Rows of the stamp: one macroblock.
const STAMP_ROWS: usize = 16;
const HORIZON: usize = 300;

/// Draws the frames of a demo, one after the other.
pub struct Picture {
    luma: Vec<u8>,
    chroma: [Vec<u8>; 2],
    sky: Vec<Colour>,
}

#[derive(Clone, Copy)]
struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

/// A layer of waves; lengths in pixels, speeds in radians per second.
struct Wave {
    base: f32,
    height: f32,
    length: f32,
    speed: f32,
    body: Colour,
    crest: Colour,
}

impl Default for Picture {
    fn default() -> Self {
        Self::new()
    }
}

impl Picture {
    /// A picture that is black until the first frame is drawn.
    #[must_use]
    pub fn new() -> Self {
        let stops = [(0.0, [16.0, 32.0, 66.0]), (0.55, [112.0, 78.0, 130.0]), (0.85, [226.0, 130.0, 100.0]), (1.0, [250.0, 190.0, 120.0])];
        let sky = (0..HORIZON + 40).map(|row| Colour::on_scale(row as f32 / HORIZON as f32, &stops)).collect();
        let chroma = WIDTH * HEIGHT / 4;
        Self { luma: vec![16; WIDTH * HEIGHT], chroma: [vec![128; chroma], vec![128; chroma]], sky }
    }

    /// Draws one frame; `out` becomes its bytes.
    pub fn draw(&mut self, frame: u64, utc_ms: u64, out: &mut Vec<u8>) {
        let t = frame as f32 / RATE as f32;
        self.draw_sky();
        self.draw_sun(t);
        for (depth, wave) in waves().iter().enumerate() {
            if depth == 2 {
                self.draw_boat(t, wave);
            }
            self.draw_wave(t, wave);
        }
        self.draw_clock(frame, utc_ms);
        self.draw_stamp(Stamp { utc_ms, frame: (frame % 4096) as u16 });
        out.clear();
        out.extend_from_slice(&self.luma);
        out.extend_from_slice(&self.chroma[0]);
        out.extend_from_slice(&self.chroma[1]);
    }

    fn draw_sky(&mut self) {
        for (row, colour) in self.sky.iter().enumerate() {
            self.luma[row * WIDTH..(row + 1) * WIDTH].fill(colour.y);
            if row % 2 == 0 {
                let at = row / 2 * WIDTH / 2;
                self.chroma[0][at..at + WIDTH / 2].fill(colour.u);
                self.chroma[1][at..at + WIDTH / 2].fill(colour.v);
            }
        }
    }

    fn draw_sun(&mut self, t: f32) {
        const DISC: f32 = 44.0;
        const GLOW: f32 = 150.0;
        let sun = Colour::rgb([255.0, 236.0, 190.0]);
        let (cx, cy) = (620.0 + 90.0 * (t / 19.0).sin(), 262.0 + 26.0 * (t / 13.0).sin());
        let rows = (cy - GLOW).max(0.0) as usize..((cy + GLOW) as usize).min(HORIZON + 40);
        let columns = (cx - GLOW) as usize & !1..((cx + GLOW) as usize).min(WIDTH);
        for y in rows {
            for x in columns.clone() {
                let distance = ((x as f32 - cx).powi(2) + (y as f32 - cy).powi(2)).sqrt();
                let share = if distance < DISC { 1.0 } else { 0.55 * (1.0 - distance / GLOW).max(0.0).powi(2) };
                if share > 0.0 {
                    self.blend(x, y, sun, share);
                }
            }
        }
    }

    fn draw_wave(&mut self, t: f32, wave: &Wave) {
        let crest: Vec<usize> = (0..WIDTH).map(|x| wave.top(x as f32, t) as usize).collect();
        let first = crest.iter().copied().min().unwrap_or(HEIGHT);
        for y in first..HEIGHT {
            let row = &mut self.luma[y * WIDTH..(y + 1) * WIDTH];
            for (pixel, top) in row.iter_mut().zip(&crest) {
                if y >= *top {
                    *pixel = if y < top + 3 { wave.crest.y } else { wave.body.y };
                }
            }
            if y % 2 == 0 {
                let at = y / 2 * WIDTH / 2;
                for (x, top) in crest.iter().step_by(2).enumerate() {
                    if y >= *top {
                        self.chroma[0][at + x] = wave.body.u;
                        self.chroma[1][at + x] = wave.body.v;
                    }
                }
            }
        }
    }

    /// A sail on the way from the left to the right; a minute for the whole way.
    fn draw_boat(&mut self, t: f32, wave: &Wave) {
        let x = (t * 18.0) % (WIDTH as f32 + 160.0) - 80.0;
        let y = wave.top(x, t) + 2.0;
        let (sail, hull) = (Colour::rgb([250.0, 244.0, 230.0]), Colour::rgb([92.0, 52.0, 48.0]));
        for step in 0..64 {
            let (height, up) = (step as f32, y - 10.0 - step as f32);
            self.fill(x - 2.0 - (64.0 - height) * 0.42, x - 2.0, up, sail);
            self.fill(x + 2.0, x + 2.0 + (64.0 - height) * 0.28, up, sail);
        }
        for step in 0..12 {
            let inset = step as f32 * 1.2;
            self.fill(x - 34.0 + inset, x + 32.0 - inset, y - 10.0 + step as f32, hull);
        }
    }

    fn draw_clock(&mut self, frame: u64, utc_ms: u64) {
        let [year, month, day] = date(utc_ms / 86_400_000);
        let (seconds, ms) = (utc_ms / 1000, utc_ms % 1000);
        let time = format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let below = format!("{year:04}-{month:02}-{day:02} UTC  FRAME {frame:06}");
        self.write(&time, 40, 44, 6);
        self.write(&below, 42, 100, 2);
    }

    fn write(&mut self, text: &str, left: usize, top: usize, dot: usize) {
        let (ink, shade) = (Colour::rgb([255.0, 252.0, 244.0]), Colour::rgb([12.0, 20.0, 40.0]));
        // The shadow first, so that the letters read on a bright sky too.
        for (colour, offset) in [(shade, dot.div_ceil(2)), (ink, 0)] {
            for (place, character) in text.chars().enumerate() {
                for (row, bits) in glyph(character).iter().enumerate() {
                    for column in (0..GLYPH_WIDTH).filter(|column| bits >> (GLYPH_WIDTH - 1 - column) & 1 == 1) {
                        let x = left + offset + (place * ADVANCE + column) * dot;
                        let y = top + offset + row * dot;
                        (y..y + dot).for_each(|y| self.fill(x as f32, (x + dot) as f32, y as f32, colour));
                    }
                }
            }
        }
    }

    fn draw_stamp(&mut self, stamp: Stamp) {
        let cell = WIDTH / CELLS;
        for row in self.luma.chunks_exact_mut(WIDTH).take(STAMP_ROWS) {
            for (pixels, white) in row.chunks_exact_mut(cell).zip(stamp.cells()) {
                pixels.fill(if white { 235 } else { 16 });
            }
        }
        for plane in &mut self.chroma {
            plane[..WIDTH / 2 * STAMP_ROWS / 2].fill(128);
        }
    }

    /// Fills part of a row; what lies outside the frame is left out.
    fn fill(&mut self, from: f32, to: f32, row: f32, colour: Colour) {
        if row < 0.0 || row >= HEIGHT as f32 || to <= 0.0 {
            return;
        }
        let (from, to, y) = (from.max(0.0) as usize, (to as usize).min(WIDTH), row as usize);
        if from >= to {
            return;
        }
        self.luma[y * WIDTH + from..y * WIDTH + to].fill(colour.y);
        if y % 2 == 0 {
            let at = y / 2 * WIDTH / 2;
            self.chroma[0][at + from / 2..at + to / 2].fill(colour.u);
            self.chroma[1][at + from / 2..at + to / 2].fill(colour.v);
        }
    }

    fn blend(&mut self, x: usize, y: usize, colour: Colour, share: f32) {
        mix(&mut self.luma[y * WIDTH + x], colour.y, share);
        if x.is_multiple_of(2) && y.is_multiple_of(2) {
            let at = y / 2 * WIDTH / 2 + x / 2;
            mix(&mut self.chroma[0][at], colour.u, share);
            mix(&mut self.chroma[1][at], colour.v, share);
        }
    }
}

impl Wave {
    fn top(&self, x: f32, t: f32) -> f32 {
        let long = (x / self.length + t * self.speed).sin();
        let short = (x / self.length * 2.3 - t * self.speed * 1.7).sin();
        self.base + self.height * (long + 0.4 * short)
    }
}

/// From the back to the front.
fn waves() -> [Wave; 4] {
    let wave =
        |base, height, length, speed, body, crest| Wave { base, height, length, speed, body: Colour::rgb(body), crest: Colour::rgb(crest) };
    [
        wave(300.0, 5.0, 70.0, 0.6, [122.0, 120.0, 150.0], [236.0, 176.0, 130.0]),
        wave(338.0, 9.0, 95.0, -0.8, [72.0, 104.0, 140.0], [170.0, 160.0, 170.0]),
        wave(392.0, 14.0, 130.0, 1.0, [36.0, 82.0, 120.0], [110.0, 140.0, 165.0]),
        wave(462.0, 20.0, 180.0, -1.2, [16.0, 54.0, 88.0], [70.0, 112.0, 142.0]),
    ]
}

impl Colour {
    /// BT.709, limited range.
    fn rgb([r, g, b]: [f32; 3]) -> Self {
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let byte = |value: f32| value.round().clamp(0.0, 255.0) as u8;
        Self {
            y: byte(16.0 + y * 219.0 / 255.0),
            u: byte(128.0 + (b - y) / 1.8556 * 224.0 / 255.0),
            v: byte(128.0 + (r - y) / 1.5748 * 224.0 / 255.0),
        }
    }

    fn on_scale(at: f32, stops: &[(f32, [f32; 3])]) -> Self {
        let after = stops.iter().position(|(stop, _)| *stop >= at).unwrap_or(stops.len() - 1).max(1);
        let ((low, from), (high, to)) = (stops[after - 1], stops[after]);
        let share = ((at - low) / (high - low)).clamp(0.0, 1.0);
        Self::rgb(core::array::from_fn(|n| from[n] + (to[n] - from[n]) * share))
    }
}

fn mix(pixel: &mut u8, to: u8, share: f32) {
    *pixel = (f32::from(*pixel) + (f32::from(to) - f32::from(*pixel)) * share) as u8;
}

/// Year, month and day of a number of days since 1970 (Howard Hinnant, `civil_from_days`).
fn date(days: u64) -> [u64; 3] {
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    [year, month, day_of_year - (153 * from_march + 2) / 5 + 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_carries_its_number_and_its_time() {
        let (mut picture, mut out) = (Picture::new(), Vec::new());
        for (frame, utc_ms) in [(0, 1_795_407_637_123), (4100, 1_795_407_774_000), (10_000_000, 1_800_000_000_999)] {
            picture.draw(frame, utc_ms, &mut out);
            assert_eq!(out.len(), FRAME_BYTES);
            let middle = STAMP_ROWS / 2 * WIDTH;
            assert_eq!(Stamp::read(&out[middle..middle + WIDTH]), Some(Stamp { utc_ms, frame: (frame % 4096) as u16 }));
        }
    }

    #[test]
    fn equal_arguments_draw_equal_frames() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        let mut used = Picture::new();
        used.draw(7, 1, &mut first);
        used.draw(1234, 5, &mut first);
        Picture::new().draw(1234, 5, &mut second);
        assert!(first == second);
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), [1970, 1, 1]);
        assert_eq!(date(11_016), [2000, 2, 29]);
        assert_eq!(date(20_780), [2026, 11, 23]);
    }
}
