//! The policy: takes transfers in, chooses renditions, explains itself.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use crate::{
    belief::{Belief, Forecast, LEAST_WEIGHT},
    config::{Config, Mode},
    decision::{Alternative, Decision, RegimeView, Rule, SAMPLES_PER_DECISION, Sample, State, Why},
    number::{bounded, exp, grid, ln},
    parameters::{Parameters, REGIMES},
    residuals::{Residuals, WEIGHTS},
    rtt::Rtt,
    scenario::{Errors, class_of, effective_rate, errors},
    soda::Soda,
    step::{After, Moment, Stage},
    table::{Builder, STALL_PRICE, Tables},
    value::{BUFFER_POINTS, look_up, utilities},
};

/// The policy of one session.
///
/// Call [`Abr::sample`] for each transfer, [`Abr::decide`] before each segment, [`Abr::progress`] about every 0.25 s while one is
/// being loaded, and [`Abr::idle`] whenever there is time, until it returns true. Until then SODA decides.
#[derive(Debug, Clone)]
pub struct Abr {
    pub(crate) config: Config,
    pub(crate) parameters: &'static Parameters,
    pub(crate) stage: Stage,
    pub(crate) utilities: Vec<f64>,
    pub(crate) belief: Belief,
    pub(crate) rtt: Rtt,
    /// Bits that the segment under way is expected to have, per rung.
    pub(crate) expected_bits: Vec<f64>,
    work: Work,
    soda: Soda,
    /// Bits and seconds of the transfers since the last decision.
    transfers: Vec<(f64, f64)>,
    size: Size,
}

#[derive(Debug, Clone)]
enum Work {
    /// Nothing is allocated until there is time to build.
    Planned,
    Building(Box<Builder>),
    Ready(Arc<Tables>),
}

/// How far the last whole segment was from its nominal size.
#[derive(Debug, Clone, Default)]
struct Size {
    rendition: usize,
    bits: f64,
    media_s: f64,
    /// `ln(actual / nominal)`.
    deviation: f64,
}

/// What a choice leads to, over all regimes and residuals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outlook {
    pub(crate) value: f64,
    pub(crate) stall: f64,
    pub(crate) worst_stall: f64,
}

/// What a choice is looked at with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) rendition: usize,
    pub(crate) bits: f64,
    /// Subtracted from the levels that the next value is looked up at: larger segments look like a slower link.
    pub(crate) shift: f64,
    pub(crate) stall_price: f64,
}

impl Abr {
    /// A session without tables; [`Abr::idle`] builds them.
    pub fn new(config: Config) -> Self {
        Self::start(config.sane(), Work::Planned)
    }

    /// A session with the tables of an earlier one, if they fit.
    pub fn with_tables(config: Config, tables: Arc<Tables>) -> Self {
        if tables.fits(&config) { Self::start(config.sane(), Work::Ready(tables)) } else { Self::new(config) }
    }

    fn start(config: Config, work: Work) -> Self {
        let parameters = config.parameters();
        Self {
            parameters,
            stage: Stage::new(&config, parameters.margin_s),
            utilities: utilities(&config.ladder_bps),
            belief: Belief::new(),
            rtt: Rtt::new(),
            expected_bits: config.ladder_bps.iter().map(|r| r * config.segment_s).collect(),
            work,
            soda: Soda::new(&config),
            transfers: Vec::new(),
            size: Size::default(),
            config,
        }
    }

    /// A session of another kind that goes on with what this one has learned of the link.
    pub fn again(&self, config: Config) -> Self {
        let mut next = Self::new(config);
        self.belief.recent().for_each(|x| next.belief.observe(next.parameters, x, 0.0));
        next.rtt = self.rtt.clone();
        next.transfers = self.transfers.clone();
        next
    }

    /// What the link is expected to carry, in bits per second; `None` before the first decision after a transfer.
    pub fn forecast_bps(&self) -> Option<f64> {
        let forecasts = self.belief.forecasts(self.parameters, 0.0);
        (!self.belief.is_empty()).then(|| 1000.0 * exp(forecasts.iter().map(|f| f.weight * f.rate).sum()))
    }

    /// What is believed of the link, without a choice.
    pub fn reasons(&self) -> Why {
        self.why(Rule::Value, &self.belief.forecasts(self.parameters, 0.0), Vec::new())
    }

    /// Builds the tables, at most `slices` slices of less than 0.1 ms; true when they are ready. A single rung needs none.
    pub fn idle(&mut self, slices: u32) -> bool {
        if self.config.ladder_bps.len() < 2 {
            return true;
        }
        if matches!(self.work, Work::Planned) && slices > 0 {
            self.work = Work::Building(Box::new(Builder::new(&self.config)));
        }
        if let Work::Building(builder) = &mut self.work
            && (0..slices).any(|_| builder.slice())
        {
            let tables = Arc::new(builder.finish());
            self.work = Work::Ready(tables);
        }
        self.tables().is_some()
    }

    /// The tables, once they are ready.
    pub fn tables(&self) -> Option<&Arc<Tables>> {
        match &self.work {
            Work::Ready(tables) => Some(tables),
            Work::Planned | Work::Building(_) => None,
        }
    }

    /// Takes in a transfer that ended or was aborted.
    pub fn sample(&mut self, sample: Sample) {
        let bits = bounded(sample.bits, 0.0, 1e12);
        let seconds = bounded(sample.transfer_s, 1e-4, 3600.0);
        if self.transfers.len() < SAMPLES_PER_DECISION {
            self.transfers.push((bits, seconds));
        }
        if bits > 0.0 {
            self.soda.sample(sample);
        }
        self.rtt.add(sample.ttfb_s);
        let rendition = sample.rendition.min(self.config.ladder_bps.len() - 1);
        let media = bounded(sample.media_s, 0.0, self.config.segment_s);
        self.size.add(&self.config, rendition, bits, media);
    }

    /// Chooses the rendition of the next segment.
    pub fn decide(&mut self, state: &State<'_>) -> Decision {
        self.learn();
        self.expect(state);
        let tables = self.tables().cloned();
        let p = self.parameters;
        let forecasts = self.belief.forecasts(p, 0.0);
        let (Some(tables), false) = (tables, self.belief.is_empty()) else {
            let (rule, rendition) = if self.belief.is_empty() { (Rule::First, 0) } else { (Rule::Soda, self.soda.decide(state)) };
            return Decision { rendition, why: self.why(rule, &forecasts, Vec::new()) };
        };
        let at = Moment { playing: true, ..self.moment(state) };
        let rtt = self.rtt.seconds(self.config.rtt_s);
        let errors = self.errors(&forecasts, 1.0);
        let last = state.last.map(|q| q.min(self.config.ladder_bps.len() - 1));
        let shift = self.shift(state);
        let alternatives: Vec<Alternative> = (0..self.config.ladder_bps.len())
            .map(|q| {
                let bits = self.expected_bits[q];
                let stall_price = STALL_PRICE * p.stall_factor;
                let choice = Choice { rendition: q, bits, shift, stall_price };
                let outlook = self.outlook(&tables, &forecasts, &errors, choice, &|bps| self.stage.segment(at, bits, rtt, bps));
                let change = match last {
                    Some(last) if q > last => p.change + p.change_up,
                    Some(last) if q < last => p.change,
                    _ => 0.0,
                };
                let utility = self.utilities[q];
                Alternative { value: utility - change + outlook.value, utility, change, stall_s: outlook.stall }
            })
            .collect();
        let mut rendition = 0;
        for (q, alternative) in alternatives.iter().enumerate() {
            if alternative.value > alternatives[rendition].value {
                rendition = q;
            }
        }
        Decision { rendition, why: self.why(Rule::Value, &forecasts, alternatives) }
    }

    /// Folds the transfers since the last decision into the belief.
    fn learn(&mut self) {
        if self.transfers.is_empty() {
            return;
        }
        let bits: f64 = self.transfers.iter().map(|t| t.0).sum();
        let seconds: f64 = self.transfers.iter().map(|t| t.1).sum();
        let x = bounded(ln(bits / seconds / 1000.0), SLOWEST, FASTEST);
        let parts = self.transfers.iter().filter(|t| t.0 > 0.0);
        let inner = parts.map(|t| (bounded(ln(t.0 / t.1 / 1000.0), SLOWEST, FASTEST) - x).abs()).sum::<f64>();
        let inner = if self.transfers.len() > 1 { inner / self.transfers.len() as f64 } else { 0.0 };
        self.transfers.clear();
        self.belief.observe(self.parameters, x, inner);
    }

    /// Sets how large the next segment is expected to be in each rung.
    fn expect(&mut self, state: &State<'_>) {
        let factor = exp(self.parameters.size_memory * self.size.deviation);
        for (q, bits) in self.expected_bits.iter_mut().enumerate() {
            let nominal = self.config.ladder_bps[q] * self.config.segment_s;
            let announced = state.upcoming_bits.get(q).copied().filter(|b| *b > 0.0);
            *bits = bounded(announced.unwrap_or(nominal * factor), 0.01 * nominal, 100.0 * nominal);
        }
    }

    /// How much slower the link is to look for the segments after this one, by their sizes.
    fn shift(&self, state: &State<'_>) -> f64 {
        let rungs = self.config.ladder_bps.len();
        let (mut sum, mut count) = (0.0, 0.0);
        for sizes in state.upcoming_bits.chunks_exact(rungs).take(SEGMENTS_AHEAD) {
            for (bits, rate) in sizes.iter().zip(&self.config.ladder_bps) {
                sum += bounded(ln(bits / (rate * self.config.segment_s)), -4.0, 4.0);
                count += 1.0;
            }
        }
        let deviation = if count > 0.0 { sum / count } else { self.parameters.size_memory * self.size.deviation };
        self.parameters.size_shift * deviation
    }

    pub(crate) fn moment(&self, state: &State<'_>) -> Moment {
        let buffer = bounded(state.buffer_s, 0.0, 3600.0);
        let least = if self.config.mode() == Mode::Vod { 0.0 } else { buffer };
        let latency = state.latency_s.unwrap_or(self.config.target_latency_s);
        Moment { buffer, latency: bounded(latency, least, 86_400.0), rate: bounded(state.rate, 0.25, 4.0), playing: state.playing }
    }

    /// The errors to expect of each regime, scaled by `share`.
    pub(crate) fn errors(&self, forecasts: &[Forecast; REGIMES], share: f64) -> [Errors; REGIMES] {
        let table = Residuals::of(self.config.mode());
        core::array::from_fn(|r| {
            let f = &forecasts[r];
            errors(table, &self.parameters.regimes[r], r, f.spread, f.lean()).map(|e| e * share)
        })
    }

    /// What a choice is worth beyond its own quality: expected stalls and the value of the states after it.
    pub(crate) fn outlook(
        &self,
        tables: &Tables,
        forecasts: &[Forecast; REGIMES],
        errors: &[Errors; REGIMES],
        choice: Choice,
        step: &dyn Fn(f64) -> After,
    ) -> Outlook {
        let (p, mut sum) = (self.parameters, Outlook::default());
        let centres = &Residuals::of(self.config.mode()).centres;
        for f in forecasts.iter().filter(|f| f.weight >= LEAST_WEIGHT) {
            let own = &p.regimes[f.regime];
            let (class, upper) = class_of(&centres[f.regime], f.spread);
            let low = tables.rung(f.regime, class, choice.rendition);
            let high = tables.rung(f.regime, class + 1, choice.rendition);
            for (&error, probability) in errors[f.regime].iter().zip(WEIGHTS) {
                let x = effective_rate(p, f.rate, error, choice.bits);
                let after = step(1000.0 * exp(x));
                let (slow, fast) = (f.slow + own.slow * (x - f.slow), f.fast + own.fast * (x - f.fast));
                let place = tables.axes.place(slow - choice.shift, fast - slow);
                let buffer = grid(after.buffer, 0.0, tables.axes.buffer_step, BUFFER_POINTS);
                let next = look_up(&tables.axes, low, place, buffer) * (1.0 - upper) + look_up(&tables.axes, high, place, buffer) * upper;
                let weight = f.weight * probability;
                sum.value += weight * (p.discount * next - choice.stall_price * after.stall);
                sum.stall += weight * after.stall;
                sum.worst_stall = sum.worst_stall.max(after.stall);
            }
        }
        sum
    }

    fn why(&self, rule: Rule, forecasts: &[Forecast; REGIMES], alternatives: Vec<Alternative>) -> Why {
        if self.belief.is_empty() {
            return Why { rule, forecast_bps: 0.0, regimes: [RegimeView::default(); REGIMES], alternatives };
        }
        let regimes = forecasts.map(|f| RegimeView { weight: f.weight, forecast_bps: 1000.0 * exp(f.rate), spread: f.spread });
        let rate: f64 = forecasts.iter().map(|f| f.weight * f.rate).sum();
        Why { rule, forecast_bps: 1000.0 * exp(rate), regimes, alternatives }
    }
}

impl Size {
    fn add(&mut self, config: &Config, rendition: usize, bits: f64, media_s: f64) {
        if media_s <= 0.0 {
            return;
        }
        if rendition != self.rendition {
            *self = Self { rendition, deviation: self.deviation, ..Self::default() };
        }
        self.bits += bits;
        self.media_s += media_s;
        if self.media_s > config.segment_s - 0.1 * config.chunk_s {
            let nominal = config.ladder_bps[rendition] * self.media_s;
            self.deviation = bounded(ln(self.bits / nominal), -2.0, 2.0);
            (self.bits, self.media_s) = (0.0, 0.0);
        }
    }
}

/// 1 kbit/s and 9 Gbit/s as natural logarithms of kbit/s.
const SLOWEST: f64 = 0.0;
const FASTEST: f64 = 16.0;
const SEGMENTS_AHEAD: usize = 4;
