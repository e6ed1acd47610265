//! What happens in a world.

use crate::{
    random::Random,
    source::Sound,
    store::{Fault, Who},
};

/// How the workers are fed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// One encoder feeds both, and their rungs are the same to the byte.
    Exact,
    /// One encoder feeds both; each makes rungs of its own.
    Own,
    /// The encoder pushes to one worker, and to the other when that one is gone.
    Single,
    /// Two publishers of one stream key, each with something else, each to its own worker.
    Rivals,
    /// Two encoders of one source, set to one clock: each says in its key frames when they were taken.
    Clocked,
}

/// Something that happens once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// kill -9 of whoever owns the log; it is started again after so long.
    KillOwner(i64),
    /// kill -9 of who does not.
    KillStandby(i64),
    /// SIGSTOP of the owner for so long.
    PauseOwner(i64),
    /// SIGSTOP of who does not own for so long.
    PauseStandby(i64),
    /// SIGTERM of the owner; it is started again after so long.
    Leave(i64),
    /// The way from the encoder to this worker breaks for so long.
    Break(usize, i64),
    /// In the mode of one push: the encoder loses its worker, which is well, and is at the other one after so long.
    Move(i64),
    /// An edge dies and is there again after so long.
    EdgeDies(usize, i64),
    /// Somebody alters the newest record.
    Alter,
    /// Somebody removes it.
    Remove,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How the workers are fed.
    pub mode: Mode,
    /// How wrong their clocks are, in us.
    pub skew_us: [i64; 2],
    /// How long the encoder's frames take to each, in us.
    pub delay_us: [i64; 2],
    /// What the sound is like on its way to each.
    pub sound: [Sound; 2],
    /// What happens when, in us after the start.
    pub events: Vec<(i64, Event)>,
    /// There are no pictures.
    pub sound_alone: bool,
    /// Workers show a slate while their encoder is away.
    pub slate: bool,
    /// The second worker has another ladder.
    pub other_ladder: bool,
    /// There is a second bucket, to which workers copy and from which edges take what the first does not give them.
    pub mirror: bool,
    /// What is wrong with the store from when to when.
    pub faults: Vec<(i64, i64, Fault)>,
    /// When all is over, in us after the start; nothing goes wrong in the last [`Self::calm_us`].
    pub length_us: i64,
}

/// How long everything works before the end …
pub const CALM_US: i64 = 12_000_000;
/// … and where somebody has altered or removed a record by hand: for 10 s others wait for a head that leads past it.
pub const CALM_BY_HAND_US: i64 = 18_000_000;
const SECOND: i64 = 1_000_000;

impl Plan {
    /// Nothing goes wrong.
    #[must_use]
    pub fn calm(mode: Mode, length_us: i64) -> Self {
        Self {
            mode,
            skew_us: [0; 2],
            delay_us: [20_000, 35_000],
            sound: [Sound::default(); 2],
            sound_alone: false,
            slate: false,
            other_ladder: false,
            mirror: false,
            events: Vec::new(),
            faults: Vec::new(),
            length_us,
        }
    }

    /// How long everything works before the end.
    #[must_use]
    pub fn calm_us(&self) -> i64 {
        if is_by_hand(&self.events) { CALM_BY_HAND_US } else { CALM_US }
    }

    /// By chance.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x7769_6e64);
        let mode = match random.within(0, 9) {
            0..=5 => Mode::Exact,
            6..=7 => Mode::Own,
            _ => Mode::Single,
        };
        let length_us = 28 * SECOND;
        let mut skew = || match random.within(0, 9) {
            0..=5 => 0,
            6..=8 => random.within(-3 * SECOND, 3 * SECOND),
            _ => random.within(-600 * SECOND, 600 * SECOND),
        };
        let skew_us = [skew(), skew()];
        let delay_us = [random.within(5_000, 80_000), random.within(5_000, 400_000)];
        let (mut events, mut faults) = (Vec::new(), Vec::new());
        let until = length_us - CALM_US;
        for _ in 0..random.within(1, 3) {
            let at = random.within(3 * SECOND, until - 3 * SECOND);
            let event = match random.within(0, 15) {
                0..=3 => Event::KillOwner(random.within(SECOND / 2, until - at)),
                4 => Event::KillStandby(random.within(SECOND / 2, until - at)),
                5..=6 => Event::PauseOwner(random.within(SECOND / 5, until - at)),
                7 => Event::PauseStandby(random.within(SECOND / 5, until - at)),
                8..=9 => Event::Leave(random.within(2 * SECOND, until - at)),
                10..=11 => Event::Break(random.within(0, 1) as usize, random.within(SECOND / 10, until - at)),
                12..=13 => Event::EdgeDies(random.within(0, 1) as usize, random.within(SECOND / 10, 3 * SECOND)),
                14 => Event::Alter,
                _ => Event::Remove,
            };
            events.push((at, event));
        }
        events.sort_by_key(|(at, _)| *at);
        for _ in 0..random.within(0, 2) {
            let from = random.within(3 * SECOND, until - SECOND);
            let to = random.within(from + SECOND / 5, until);
            let fault = match random.within(0, 9) {
                0..=1 => Fault::Away,
                2..=3 => Fault::Cut(Who::Worker(random.within(0, 1) as usize)),
                4 => Fault::Cut(Who::Edge(random.within(0, 1) as usize)),
                5..=6 => Fault::Busy(random.within(5, 60)),
                7 => Fault::Deaf(random.within(5, 40)),
                _ => Fault::Slow(random.within(20_000, 1_500_000)),
            };
            faults.push((from, to, fault));
        }
        // Drawn apart, as the sound, so that seeds of other worlds stay what they are.
        let is_apart = !WITHOUT.contains(&seed);
        let (slate, mirror) = (is_apart && seed % SLATES == 3, is_apart && seed % MIRRORS == 4);
        let length_us = if is_by_hand(&events) { length_us + CALM_BY_HAND_US - CALM_US } else { length_us };
        Self {
            mode,
            skew_us,
            delay_us,
            sound: sound(seed),
            sound_alone: false,
            slate,
            other_ladder: false,
            mirror,
            events,
            faults,
            length_us,
        }
    }
}

fn is_by_hand(events: &[(i64, Event)]) -> bool {
    events.iter().any(|(_, event)| matches!(event, Event::Alter | Event::Remove))
}

/// In some worlds the sound is not as regular as the pictures; drawn apart, so that seeds of other worlds stay what they are.
fn sound(seed: u64) -> [Sound; 2] {
    if seed % UNEVEN != 2 {
        return [Sound::default(); 2];
    }
    let mut random = Random::new(seed ^ 0x0073_6f75_6e64);
    let slow_ppm = random.within(0, 8_000);
    [0; 2].map(|_: i64| Sound { slow_ppm, late_us: random.within(-40_000, 200_000) })
}

/// One in so many worlds has uneven sound, …
const UNEVEN: u64 = 13;
/// … workers with slates, …
const SLATES: u64 = 7;
/// … and a second bucket; but not those among which worlds have failed before there were any.
const MIRRORS: u64 = 5;
const WITHOUT: core::ops::Range<u64> = 2_000..3_000_000;
