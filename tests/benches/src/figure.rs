use std::{fmt, time::Duration};

/// One figure, and the bar that it has to stay below.
pub struct Figure<'a> {
    pub what: &'a str,
    pub bar: f64,
    pub seen: f64,
    pub unit: &'a str,
}

impl fmt::Display for Figure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, bar, seen, unit } = self;
        let verdict = if seen <= bar { "reached" } else { "NOT reached" };
        write!(f, "{what}: {seen:.2} {unit}, bar {bar:.2} {unit}: {verdict}")
    }
}

/// Prints figures, one a line.
pub fn print(figures: &[Figure<'_>]) {
    figures.iter().for_each(|figure| println!("{figure}"));
}

/// The time that so many percent of all do not exceed, in ms.
pub fn percentile(times: &[Duration], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
