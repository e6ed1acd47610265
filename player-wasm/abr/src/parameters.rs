//! The fitted numbers, one set per mode.
//!
//! They were found by CMA-ES on recorded links, half of the recordings held back. Nothing here is learned while playing.

use crate::config::Mode;

/// Regimes in the mixture.
pub const REGIMES: usize = 3;

/// The fitted numbers of one mode.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// Gain of the mean error.
    pub error_gain: f64,
    /// Mean error before anything is known, as a natural logarithm.
    pub error_start: f64,
    /// Seconds of buffer below which a risk is priced although nothing stalls.
    pub margin_s: f64,
    /// Worth of the next segment against this one.
    pub discount: f64,
    /// Price of a second of stall is five times this: the score takes 10 times the stall ratio, a segment is 2 s.
    pub stall_factor: f64,
    /// Price of a change of rendition; the score takes 1.
    pub change: f64,
    /// What a change upwards costs more.
    pub change_up: f64,
    /// How long a rate below the forecast lasts.
    pub outage_s: f64,
    /// Share of the shortfall that remains after that.
    pub recovery: f64,
    /// How much of the last segment's deviation in size the next one has.
    pub size_memory: f64,
    /// How much of the deviation in size the value of the next state feels.
    pub size_shift: f64,
    /// What remains of a regime's loss after a sample.
    pub forgetting: f64,
    /// How sharply losses tell regimes apart.
    pub temperature: f64,
    /// Weight of the loss four samples ahead.
    pub ahead_weight: f64,
    /// Logarithm of each regime's weight before anything is known.
    pub prior: [f64; REGIMES],
    /// How much better a restart must be than going on.
    pub abandon_threshold: f64,
    /// Seconds in which the rate of a running transfer becomes the forecast.
    pub abandon_evidence_s: f64,
    /// How much narrower the errors become with that evidence.
    pub abandon_narrowing: f64,
    /// Factor on the price of a change when a request is given up.
    pub abandon_change: f64,
    /// How much the spread of rates inside a segment adds to the mean error.
    pub inner_spread: f64,
    /// What differs between the regimes.
    pub regimes: [Regime; REGIMES],
}

/// The fitted numbers of one regime.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regime {
    /// Gain of the slow level.
    pub slow: f64,
    /// Gain of the fast level.
    pub fast: f64,
    /// Share of the distance from slow to fast that the forecast keeps.
    pub persistence: f64,
    /// Added to every forecast.
    pub bias: f64,
    /// Factor on errors below the forecast.
    pub low: f64,
    /// Factor on errors above it.
    pub high: f64,
}

impl Parameters {
    /// The set of `mode`.
    pub fn of(mode: Mode) -> &'static Self {
        match mode {
            Mode::Vod => &VOD,
            Mode::Live => &LIVE,
            Mode::LowLatency => &LOW_LATENCY,
        }
    }
}

static VOD: Parameters = Parameters {
    error_gain: 0.042,
    error_start: 0.3,
    margin_s: 0.864,
    discount: 0.986,
    stall_factor: 0.678,
    change: 1.133,
    change_up: -0.137,
    outage_s: 5.554,
    recovery: -0.042,
    size_memory: 0.6,
    size_shift: 0.503,
    forgetting: 0.829,
    temperature: 0.339,
    ahead_weight: 0.218,
    prior: [0.0, -1.304, 0.681],
    abandon_threshold: 0.76,
    abandon_evidence_s: 2.368,
    abandon_narrowing: 0.659,
    abandon_change: 1.153,
    inner_spread: 0.0,
    regimes: [
        Regime { slow: 0.336, fast: 0.963, persistence: 1.018, bias: -0.024, low: 0.371, high: 0.7 },
        Regime { slow: 0.018, fast: 0.219, persistence: 0.346, bias: -0.279, low: 0.571, high: 1.308 },
        Regime { slow: 0.014, fast: 0.836, persistence: 0.436, bias: -0.102, low: 0.838, high: 0.404 },
    ],
};

static LIVE: Parameters = Parameters {
    error_gain: 0.159,
    error_start: 0.486,
    margin_s: 1.629,
    discount: 0.941,
    stall_factor: 1.407,
    change: 1.068,
    change_up: 0.066,
    outage_s: 6.725,
    recovery: -0.044,
    size_memory: 0.632,
    size_shift: 0.334,
    forgetting: 0.918,
    temperature: 0.95,
    ahead_weight: 1.069,
    prior: [0.0, 0.455, 1.661],
    abandon_threshold: -0.356,
    abandon_evidence_s: 3.717,
    abandon_narrowing: 0.055,
    abandon_change: 0.942,
    inner_spread: 0.0,
    regimes: [
        Regime { slow: 0.515, fast: 0.652, persistence: 1.238, bias: -0.004, low: 0.16, high: 1.2 },
        Regime { slow: 0.021, fast: 0.375, persistence: 0.457, bias: -0.037, low: 0.238, high: 0.472 },
        Regime { slow: 0.208, fast: 0.444, persistence: 0.382, bias: -0.032, low: 0.231, high: 0.766 },
    ],
};

static LOW_LATENCY: Parameters = Parameters {
    error_gain: 0.029,
    error_start: 0.331,
    margin_s: 0.336,
    discount: 0.971,
    stall_factor: 1.189,
    change: 0.781,
    change_up: -0.042,
    outage_s: 3.062,
    recovery: 0.345,
    size_memory: 0.084,
    size_shift: 0.358,
    forgetting: 0.916,
    temperature: 1.014,
    ahead_weight: 2.811,
    prior: [0.0, 0.305, 0.26],
    abandon_threshold: 0.032,
    abandon_evidence_s: 0.104,
    abandon_narrowing: 0.361,
    abandon_change: 1.282,
    inner_spread: 0.798,
    regimes: [
        Regime { slow: 0.503, fast: 0.903, persistence: 1.022, bias: -0.042, low: 0.532, high: 0.715 },
        Regime { slow: 0.21, fast: 0.759, persistence: 1.023, bias: 0.069, low: 0.532, high: 1.512 },
        Regime { slow: 0.027, fast: 0.219, persistence: 0.596, bias: -0.141, low: 0.416, high: 3.636 },
    ],
};
