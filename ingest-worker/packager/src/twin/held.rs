use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use tidegate_cmaf::{Avc, CodecConfig, SourceTime, source_time};
use tidegate_stream::{Hash, RenditionKind};

use crate::{Config, Frame, Input, opening::Known};

/// What a worker has received of late, from which it can make again what another worker may not have written.
#[derive(Debug)]
pub(super) struct Held {
    inputs: VecDeque<(i64, Input)>,
    /// The place of the first of them in all that came.
    first: u64,
    bytes: usize,
    bytes_max: usize,
    /// What was known of the renditions before the first of them.
    known: Vec<Known>,
    lead: usize,
    lead_is_video: bool,
    /// What the newest frames of the lead are.
    avc: Option<Avc>,
    keys: VecDeque<KeyFrame>,
}

/// A sync frame of the lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeyFrame {
    /// Its place in all that came.
    pub(super) at: u64,
    /// The hash of its bytes: the same in every worker that the same encoder feeds.
    pub(super) hash: Hash,
    /// When it was taken, where it says so itself.
    pub(super) time: Option<SourceTime>,
    /// When it is shown, in ms.
    pub(super) shown_ms: i64,
    /// When it came, in us since 1970.
    pub(super) came_us: i64,
}

/// Frames of sound before a key frame that may belong to its segment.
const BEFORE_KEY_US: i64 = 1_000_000;

impl Held {
    pub(super) fn new(config: &Config) -> Self {
        let lead_is_video = config.renditions.first().is_some_and(|rendition| rendition.kind == RenditionKind::Video);
        Self {
            inputs: VecDeque::new(),
            first: 0,
            bytes: 0,
            bytes_max: config.limits.queue_bytes,
            known: alloc::vec![Known::default(); config.renditions.len()],
            lead: 0,
            lead_is_video,
            avc: None,
            keys: VecDeque::new(),
        }
    }

    pub(super) fn lead(&self) -> usize {
        self.lead
    }

    /// What the newest frames of the lead are.
    pub(super) fn avc(&self) -> Option<&Avc> {
        self.avc.as_ref()
    }

    /// Keeps what came; says whether it was a key frame.
    pub(super) fn push(&mut self, now: i64, input: Input) -> bool {
        let mut is_key = false;
        if let Input::Config { rendition, config: CodecConfig::Avc(avc) } = &input
            && *rendition == self.lead
        {
            self.avc = Some(avc.clone());
        }
        if let Input::Frame { rendition, frame } = &input {
            self.bytes += frame.data.len();
            is_key = *rendition == self.lead && frame.sync;
            if is_key {
                let shown_ms = frame.dts_ms.saturating_add(i64::from(frame.cts_ms));
                let at = self.first + self.inputs.len() as u64;
                let time = self.avc.as_ref().and_then(|avc| source_time(&frame.data, avc));
                self.keys.push_back(KeyFrame { at, hash: Hash::of(&frame.data), time, shown_ms, came_us: now });
            }
        }
        self.inputs.push_back((now, input));
        while self.bytes > self.bytes_max {
            self.pop();
        }
        is_key
    }

    /// Forgets all frames.
    pub(super) fn clear(&mut self) {
        while !self.inputs.is_empty() {
            self.pop();
        }
    }

    fn pop(&mut self) {
        let Some((_, input)) = self.inputs.pop_front() else { return };
        self.first += 1;
        match input {
            Input::Frame { frame, .. } => self.bytes -= frame.data.len(),
            Input::Config { rendition, config } => {
                if let Some(known) = self.known.get_mut(rendition) {
                    *known = Known { config: Some(config), absent: false };
                }
            }
            Input::Absent { rendition } => {
                if let Some(known) = self.known.get_mut(rendition) {
                    known.absent = true;
                }
            }
            Input::Forget { rendition } => {
                if let Some(known) = self.known.get_mut(rendition) {
                    *known = Known::default();
                }
            }
            Input::Discontinuity | Input::Announce(_) | Input::Tick | Input::End => {}
        }
        while self.keys.pop_front_if(|key| key.at < self.first).is_some() {}
    }

    /// Forgets what a segment that starts with this key frame does not need.
    pub(super) fn forget_before(&mut self, key: &KeyFrame) {
        while self.inputs.front().is_some_and(|(came_us, _)| came_us.saturating_add(BEFORE_KEY_US) < key.came_us) {
            self.pop();
        }
    }

    /// Forgets what came before.
    pub(super) fn forget_until(&mut self, came_us: i64) {
        while self.inputs.front().is_some_and(|(at, _)| *at < came_us) {
            self.pop();
        }
    }

    /// All key frames, oldest first.
    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &KeyFrame> {
        self.keys.iter()
    }

    /// All frames of a rendition, oldest first.
    pub(super) fn frames(&self, rendition: usize) -> impl Iterator<Item = &Frame> {
        self.inputs.iter().filter_map(move |(_, input)| match input {
            Input::Frame { rendition: of, frame } if *of == rendition => Some(frame),
            _ => None,
        })
    }

    /// What was known of the renditions before a key frame, and all from there on: with the sound, but without the pictures,
    /// that came shortly before it.
    pub(super) fn from(&self, key: &KeyFrame) -> (Vec<Known>, Vec<(i64, Input)>) {
        let mut known: BTreeMap<usize, Known> = self.known.iter().cloned().enumerate().collect();
        let mut inputs = Vec::new();
        for (place, (came_us, input)) in self.inputs.iter().enumerate() {
            if self.first + place as u64 >= key.at {
                inputs.push((*came_us, input.clone()));
                continue;
            }
            match input {
                Input::Config { rendition, config } => {
                    known.insert(*rendition, Known { config: Some(config.clone()), absent: false });
                }
                Input::Absent { rendition } => known.entry(*rendition).or_default().absent = true,
                // Sound from long before would be waited with for pictures, and then lead without them.
                Input::Frame { rendition, .. } if *rendition != self.lead && self.lead_is_video => {
                    inputs.extend((came_us.saturating_add(BEFORE_KEY_US) >= key.came_us).then(|| (*came_us, input.clone())));
                }
                Input::Forget { rendition } => {
                    known.insert(*rendition, Known::default());
                }
                Input::Frame { .. } | Input::Discontinuity | Input::Announce(_) | Input::Tick | Input::End => {}
            }
        }
        (known.into_values().collect(), inputs)
    }

    /// Everything that is held.
    pub(super) fn all(&self) -> (Vec<Known>, Vec<(i64, Input)>) {
        (self.known.clone(), self.inputs.iter().cloned().collect())
    }
}
