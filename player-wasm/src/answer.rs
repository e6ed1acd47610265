//! What a page may ask the engine, as numbers and texts.

use alloc::{string::String, vec::Vec};

use tidegate_engine::{Choice, Choosable, Engine, Rule};

/// Figures of this moment, in the order of `EngineStats`.
pub(crate) fn stats(engine: &Engine) -> [f64; 15] {
    let stats = engine.stats();
    let flag = |set: bool| f64::from(u8::from(set));
    let maybe = |value: Option<f64>| value.unwrap_or(f64::NAN);
    [
        flag(stats.live),
        flag(stats.at_live_edge),
        maybe(stats.program_date_time_ms),
        maybe(stats.latency_s),
        maybe(stats.edge_distance_s),
        maybe(stats.target_s),
        stats.buffer_s,
        stats.rung as f64,
        stats.rungs as f64,
        stats.bandwidth_bps as f64,
        stats.height.into(),
        maybe(stats.estimate_bps),
        stats.stalls.into(),
        stats.rate,
        flag(stats.grows),
    ]
}

/// The decisions from number `since` on, one after the other: number, time in ms, segment, rung before, rung after,
/// buffer, latency, value of going on and of beginning again where a request was given up, rule (0 first, 1 SODA,
/// 2 value), forecast, three times weight, forecast and spread of a regime, how many rungs, and for each one value,
/// utility, price of the change and expected stall.
pub(crate) fn decisions(engine: &Engine, since: f64, numbers: &mut Vec<f64>) {
    for choice in engine.choices().filter(|choice| choice.number as f64 >= since) {
        numbers_of(choice, numbers);
    }
}

fn numbers_of(choice: &Choice, numbers: &mut Vec<f64>) {
    let why = &choice.why;
    let (on, again) = choice.abandon.as_ref().map_or((f64::NAN, f64::NAN), |abandon| (abandon.value_running, abandon.value_restart));
    let rule = match why.rule {
        Rule::First => 0.0,
        Rule::Soda => 1.0,
        Rule::Value => 2.0,
    };
    numbers.extend([
        choice.number as f64,
        choice.at_ms,
        choice.msn as f64,
        choice.from as f64,
        choice.to as f64,
        choice.buffer_s,
        choice.latency_s.unwrap_or(f64::NAN),
        on,
        again,
        rule,
        why.forecast_bps,
    ]);
    for regime in &why.regimes {
        numbers.extend([regime.weight, regime.forecast_bps, regime.spread]);
    }
    numbers.push(why.alternatives.len() as f64);
    for rung in &why.alternatives {
        numbers.extend([rung.value, rung.utility, rung.change, rung.stall_s]);
    }
}

/// The rungs, lowest first: bit rate, width, height and frames in 1000 s of each; in texts their codecs, a line each.
pub(crate) fn levels(engine: &Engine, numbers: &mut Vec<f64>, out: &mut String) {
    for (at, level) in engine.levels().enumerate() {
        numbers.extend([level.bandwidth_bps as f64, level.width.into(), level.height.into(), level.frame_rate_millis.into()]);
        if at > 0 {
            out.push('\n');
        }
        out.push_str(&level.codecs.join(","));
    }
}

/// What can be chosen, a line each: language, `d` for the default and `s` for captions of sounds, name, between tabs.
pub(crate) fn choosable<'a>(all: impl Iterator<Item = Choosable<'a>>, out: &mut String) {
    for one in all {
        for text in
            [one.language, "\t", if one.default { "d" } else { "" }, if one.describes_sound { "s" } else { "" }, "\t", one.name, "\n"]
        {
            out.push_str(text);
        }
    }
}
