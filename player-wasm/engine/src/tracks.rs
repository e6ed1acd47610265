//! What the viewer may choose: a rung, a language of sound, captions.

use alloc::{string::String, vec::Vec};

use crate::{Engine, Track, ladder::Rendition, lane::Lane, playlist::Place};

/// A rung as a page shows it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Level<'a> {
    /// Its BANDWIDTH.
    pub bandwidth_bps: u64,
    /// In pixels; 0 where the playlist does not say.
    pub width: u32,
    /// In pixels; 0 where the playlist does not say.
    pub height: u32,
    /// Frames in 1000 s; 0 where the playlist does not say.
    pub frame_rate_millis: u32,
    /// RFC 6381 names.
    pub codecs: &'a [String],
}

/// Sound or captions that can be chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choosable<'a> {
    /// For people.
    pub name: &'a str,
    /// RFC 5646; empty where the playlist does not say.
    pub language: &'a str,
    /// Played where the viewer says nothing.
    pub default: bool,
    /// For those who cannot hear: spoken words and sounds.
    pub describes_sound: bool,
}

impl<'a> From<&'a Rendition> for Choosable<'a> {
    fn from(one: &'a Rendition) -> Self {
        Self { name: &one.name, language: &one.language, default: one.default, describes_sound: one.describes_sound }
    }
}

impl Engine {
    /// All rungs, lowest first.
    pub fn levels(&self) -> impl Iterator<Item = Level<'_>> {
        self.ladder.variants.iter().map(|variant| Level {
            bandwidth_bps: variant.bandwidth_bps,
            width: variant.width,
            height: variant.height,
            frame_rate_millis: variant.frame_rate_millis,
            codecs: &variant.codecs,
        })
    }

    /// The kinds of sound beside the rung that is loaded.
    pub fn sounds(&self) -> impl Iterator<Item = Choosable<'_>> {
        self.of_group(&self.ladder.audio, |rung| self.ladder.variants.get(rung)?.audio_group.as_ref()).map(Into::into)
    }

    /// The captions beside the rung that is loaded.
    pub fn texts(&self) -> impl Iterator<Item = Choosable<'_>> {
        self.of_group(&self.ladder.texts, |rung| self.ladder.variants.get(rung)?.text_group.as_ref()).map(Into::into)
    }

    fn of_group<'a>(&'a self, all: &'a [Rendition], group: impl Fn(usize) -> Option<&'a String>) -> impl Iterator<Item = &'a Rendition> {
        let group = self.lanes.first().and_then(|main| group(main.rung));
        all.iter().filter(move |one| Some(&one.group) == group)
    }

    /// Keeps to one rung, whatever the policy says, or leaves it to the policy again.
    pub(crate) fn pin(&mut self, rung: Option<usize>) {
        let before = self.pinned;
        self.pinned = rung.filter(|rung| *rung < self.ladder.variants.len());
        self.released = before.is_some() && self.pinned.is_none();
        let Some(rung) = self.pinned else { return };
        let Some(main) = self.lanes.first_mut() else { return };
        if let Some(variant) = self.ladder.variants.get(rung) {
            main.want(&mut self.shared, rung, &variant.url);
        }
    }

    /// Goes over to other sound, from the segment that is playing on.
    pub(crate) fn choose_sound(&mut self, at: usize) {
        let group = |rung: usize| self.ladder.variants.get(rung)?.audio_group.as_ref();
        let Some(url) = self.of_group(&self.ladder.audio, group).nth(at).map(|one| one.url.clone()) else { return };
        let Some(old) = self.lanes.iter().position(|lane| lane.track == Track::Audio && !lane.is_main()) else { return };
        let mut other = Lane::new(Track::Audio, false, url, 0, &self.shared);
        if let Some(lane) = self.lanes.get_mut(old) {
            // The source buffer may be in the middle of an append.
            other.take_over(lane);
            core::mem::replace(lane, other).close(&mut self.shared);
        }
    }

    /// Begins to load captions, or stops it.
    pub(crate) fn choose_text(&mut self, at: Option<usize>) {
        if let Some(old) = self.lanes.iter().position(|lane| lane.track == Track::Text) {
            self.lanes.remove(old).close(&mut self.shared);
        }
        let group = |rung: usize| self.ladder.variants.get(rung)?.text_group.as_ref();
        let Some(url) = at.and_then(|at| self.of_group(&self.ladder.texts, group).nth(at)).map(|one| one.url.clone()) else { return };
        self.lanes.push(Lane::new(Track::Text, false, url, 0, &self.shared));
    }

    /// Tracks that hold the playhead up where they have nothing: captions are not among them.
    pub(crate) fn played(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| lane.track != Track::Text)
    }

    /// Where a track beside the main one is to begin: with it, or where the playhead is by now.
    pub(crate) fn place_beside(&self) -> Option<Place> {
        let main = self.lanes.first()?;
        let here = || main.place_at(self.shared.position_s());
        if self.playback.begun { here() } else { None }.or(self.playback.start)
    }

    /// Sound that is loaded, as a place in [`Self::sounds`].
    #[must_use]
    pub fn sound(&self) -> Option<usize> {
        let url = self.lanes.iter().find(|lane| lane.track == Track::Audio && !lane.is_main())?.follower.url();
        let group = |rung: usize| self.ladder.variants.get(rung)?.audio_group.as_ref();
        let urls: Vec<&str> = self.of_group(&self.ladder.audio, group).map(|one| one.url.as_str()).collect();
        urls.iter().position(|one| *one == url)
    }
}
