//! What is announced with a record, said in its chunks as well.

use alloc::vec::Vec;

use tidegate_cmaf::{EMSG_ID3, EventMessage, id3_text, write_event_message};
use tidegate_stream::{Cue, Event, Track};

use crate::track::Piece;

/// Where the duration of a message is not known.
const ENDLESS: u32 = u32::MAX;

/// Puts the cues among `events` before each chunk of a record whose lead begins at `utc_us`. The same events make the same bytes.
pub(crate) fn attach(pieces: &mut [Piece], tracks: &[Option<Track>], utc_us: i64, events: &[Event]) {
    // The wall clock of a record is that of its first rendition; sound begins a little earlier.
    let lead = pieces.iter().zip(tracks).find_map(|(piece, track)| Some(track.as_ref()?.micros(piece.part.start)));
    let Some(lead_us) = lead else { return };
    for event in events {
        let Some(text) = Cue::text_of(event) else { continue };
        let tag = id3_text(&event.class, &text);
        let start_us = lead_us.saturating_add_signed(event.start_utc_us.saturating_sub(utc_us));
        for (piece, track) in pieces.iter_mut().zip(tracks) {
            let Some(track) = track.as_ref().filter(|_| piece.part.len > 0) else { continue };
            let ticks = |us: u64| u64::try_from(u128::from(us) * u128::from(track.timescale) / 1_000_000).unwrap_or(u64::MAX);
            let message = EventMessage {
                scheme: EMSG_ID3,
                value: &event.class,
                timescale: track.timescale,
                presentation_time: ticks(start_us),
                duration: event.duration_us.map_or(ENDLESS, |us| u32::try_from(ticks(us)).unwrap_or(ENDLESS)),
                id: event.number(),
                data: &tag,
            };
            let mut media = Vec::with_capacity(piece.media.len() + tag.len() + 128);
            write_event_message(&mut media, &message);
            // A part is far from 4 GiB, and an event has a bound.
            let more = u32::try_from(media.len()).unwrap_or(0);
            media.append(&mut piece.media);
            piece.media = media;
            piece.part.len = piece.part.len.saturating_add(more);
            if piece.part.key_len > 0 {
                piece.part.key_len = piece.part.key_len.saturating_add(more);
            }
        }
    }
}
