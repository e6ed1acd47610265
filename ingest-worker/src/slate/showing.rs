use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tidegate_packager::{Frame, Input};

use super::{Film, Slate};

/// A slate that is shown, at its own pace from the moment it began.
pub(crate) struct Showing {
    slate: Arc<Slate>,
    began: Instant,
    tracks: Vec<Track>,
}

/// One rendition of it.
struct Track {
    /// Its place in the session.
    rendition: usize,
    /// Its place in the slate; none for the sound.
    picture: Option<usize>,
    /// How many of its frames were given out.
    shown: u64,
}

/// A process that was stopped, or a store that holds it back, is at most this far behind; then the slate stands still.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// A slate without a rendition has nothing to show.
const NEVER: Duration = Duration::from_secs(3600);

impl Showing {
    /// Begins now. `pictures` are the places in the session of those of the slate, `None` for one that is left out; `sound` is that of the
    /// sound.
    pub(crate) fn new(slate: Arc<Slate>, began: Instant, pictures: &[Option<usize>], sound: Option<usize>) -> Self {
        let track =
            |(picture, rendition): (usize, &Option<usize>)| Some(Track { rendition: (*rendition)?, picture: Some(picture), shown: 0 });
        let mut tracks: Vec<Track> = pictures.iter().take(slate.pictures.len()).enumerate().filter_map(track).collect();
        tracks.extend(sound.filter(|_| slate.sound.is_some()).map(|rendition| Track { rendition, picture: None, shown: 0 }));
        Self { slate, began, tracks }
    }

    /// What is due, in the order in which an encoder would send it.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Input> {
        let mut due = Vec::new();
        // After a pause it goes on where it was, and makes up for nothing.
        if let Some((at, _)) = self.next().filter(|(at, _)| now > self.began + *at + BEHIND_MAX) {
            self.began = now - at;
        }
        while let Some((at, place)) = self.next() {
            if now < self.began + at {
                break;
            }
            let Some(track) = self.tracks.get_mut(place) else { break };
            let Some(film) = film(&self.slate, track) else { break };
            if track.shown == 0 {
                due.push(Input::Config { rendition: track.rendition, config: film.config.clone() });
            }
            let index = usize::try_from(track.shown % film.frames.len().max(1) as u64).unwrap_or(0);
            let Some(still) = film.frames.get(index) else { break };
            let dts_ms = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
            let frame = Frame { dts_ms, cts_ms: 0, sync: still.sync, data: still.data.to_vec() };
            due.push(Input::Frame { rendition: track.rendition, frame });
            track.shown += 1;
        }
        due
    }

    /// When the next frame is due.
    pub(crate) fn next_at(&self) -> Instant {
        self.began + self.next().map_or(NEVER, |(at, _)| at)
    }

    /// The frame that comes next, and when.
    fn next(&self) -> Option<(Duration, usize)> {
        self.tracks.iter().enumerate().filter_map(|(place, track)| Some((self.time(track)?, place))).min()
    }

    fn time(&self, track: &Track) -> Option<Duration> {
        let film = film(&self.slate, track)?;
        let (units, rate) = match &film.config {
            tidegate_cmaf::CodecConfig::Aac(aac) => (u64::from(aac.frame_samples()), u64::from(aac.sample_rate())),
            _ => (u64::from(self.slate.rate.denominator), u64::from(self.slate.rate.numerator)),
        };
        Some(Duration::from_micros(track.shown.saturating_mul(units).saturating_mul(1_000_000) / rate.max(1)))
    }
}

fn film<'a>(slate: &'a Slate, track: &Track) -> Option<&'a Film> {
    match track.picture {
        Some(picture) => slate.pictures.get(picture),
        None => slate.sound.as_ref(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidegate_cmaf::CodecConfig;
    use tidegate_stream::FrameRate;

    use super::*;
    use crate::slate::Still;

    fn slate() -> Arc<Slate> {
        let config = CodecConfig::aac(&[0x11, 0x90]).unwrap();
        let still = |byte: u8| Still { sync: true, data: Bytes::from(vec![byte]) };
        // Two films of sound do as well as pictures here: what matters is whose turn it is.
        let film = |count: u8| Film { config: config.clone(), frames: (0..count).map(still).collect() };
        Arc::new(Slate { pictures: vec![film(3), film(3)], sound: Some(film(2)), rate: FrameRate { numerator: 25, denominator: 1 } })
    }

    #[test]
    fn frames_come_at_their_time_and_over_and_over() {
        let began = Instant::now();
        let mut showing = Showing::new(slate(), began, &[Some(0), None], Some(4));
        let seen = |inputs: Vec<Input>| {
            let of = |input: &Input| match input {
                Input::Frame { rendition, frame } => format!("{rendition}:{}@{}", frame.data[0], frame.dts_ms),
                Input::Config { rendition, .. } => format!("{rendition}"),
                other => format!("{other:?}"),
            };
            inputs.iter().map(of).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(seen(showing.due(began)), "0 0:0@0 4 4:0@0");
        assert_eq!(seen(showing.due(began + Duration::from_millis(21))), "");
        assert_eq!(showing.next_at() - began, Duration::from_micros(21_333));
        let later = seen(showing.due(began + Duration::from_millis(90)));
        assert_eq!(later, "0:1@21 4:1@21 0:2@42 4:0@42 0:0@64 4:1@64 0:1@85 4:0@85");
    }
}
