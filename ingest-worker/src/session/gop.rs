/// Follows the source's key frames: how far they are apart, and whether one still comes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gop {
    /// Decode time of the newest key frame, or of the first picture where none has come yet.
    began_ms: Option<i64>,
    bytes: usize,
    has_key: bool,
}

/// What a picture means for its GOP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It belongs to the open one, or is the first.
    Open,
    /// It is a key frame and ends the GOP before it.
    Closed {
        /// How long that was.
        ms: i64,
    },
    /// No key frame has come for so long that none will: a segment would grow without end, and nobody could begin to watch.
    Endless {
        /// For how long.
        ms: i64,
    },
}

/// Three times the longest interval that is handled well; x264 by itself has 250 frames, which is 10.4 s at 24 frames/s.
const GOP_MS_MAX: i64 = 30_000;
/// The open segment is in memory: 21 s at 25 Mbit/s.
const GOP_BYTES_MAX: usize = 64 << 20;

impl Gop {
    /// Takes the next picture. After a break of the source's clock it begins anew.
    pub(super) fn picture(&mut self, dts_ms: i64, sync: bool, bytes: usize) -> Verdict {
        let ms = dts_ms.saturating_sub(*self.began_ms.get_or_insert(dts_ms));
        if sync {
            let closes = self.has_key;
            *self = Self { began_ms: Some(dts_ms), bytes, has_key: true };
            return if closes { Verdict::Closed { ms } } else { Verdict::Open };
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if ms > GOP_MS_MAX || self.bytes > GOP_BYTES_MAX { Verdict::Endless { ms } } else { Verdict::Open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_closes_the_gop_before_it() {
        let mut gop = Gop::default();
        assert_eq!(gop.picture(100, true, 9), Verdict::Open);
        assert_eq!(gop.picture(140, false, 9), Verdict::Open);
        assert_eq!(gop.picture(10_100, true, 9), Verdict::Closed { ms: 10_000 });
        assert_eq!(gop.picture(12_100, true, 9), Verdict::Closed { ms: 2000 });
    }

    #[test]
    fn a_source_without_key_frames_is_bounded_in_time() {
        let mut gop = Gop::default();
        assert_eq!(gop.picture(0, true, 9), Verdict::Open);
        assert_eq!(gop.picture(30_000, false, 9), Verdict::Open);
        assert_eq!(gop.picture(30_040, false, 9), Verdict::Endless { ms: 30_040 });
        // One that never had any is too: its time begins with its first picture.
        let mut gop = Gop::default();
        assert_eq!(gop.picture(5000, false, 9), Verdict::Open);
        assert_eq!(gop.picture(35_001, false, 9), Verdict::Endless { ms: 30_001 });
    }

    #[test]
    fn and_in_memory() {
        let mut gop = Gop::default();
        assert_eq!(gop.picture(0, true, 1 << 20), Verdict::Open);
        let mib = (1..).find(|at| gop.picture(*at, false, 1 << 20) != Verdict::Open);
        assert_eq!(mib, Some(64));
        assert_eq!(gop.picture(100, true, 1 << 20), Verdict::Closed { ms: 100 });
        assert_eq!(gop.picture(140, false, 1 << 20), Verdict::Open);
    }
}
