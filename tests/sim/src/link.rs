//! A recorded link: a rate and a round trip as steps over time, repeated from the start when it ends.

use anyhow::{Context, Result, ensure};

/// A link as it was recorded.
#[derive(Debug, Clone)]
pub struct Link {
    /// Starts of the steps in seconds; the last one closes the recording.
    times: Vec<f64>,
    /// Rates of the steps in bits per second.
    rates: Vec<f64>,
    /// Round trips of the steps in seconds.
    rtts: Vec<f64>,
}

impl Link {
    /// Steps of `(start in seconds, kbit/s, round trip in ms)`; the last one closes the recording.
    pub fn new(steps: &[(f64, f64, f64)]) -> Result<Self> {
        ensure!(steps.len() >= 2, "a link needs a step and its end");
        ensure!(steps.windows(2).all(|w| w[1].0 >= w[0].0), "times of a link must not fall");
        ensure!(steps[steps.len() - 1].0 > steps[0].0, "a link has to last");
        Ok(Self {
            times: steps.iter().map(|s| s.0 - steps[0].0).collect(),
            rates: steps.iter().map(|s| (s.1 * 1000.0).max(0.0)).collect(),
            rtts: steps.iter().map(|s| s.2 / 1000.0).collect(),
        })
    }

    /// Reads `time_s,bandwidth_kbps[,rtt_ms]` with a head line; rates are multiplied by `scale`.
    pub fn parse(text: &str, scale: f64) -> Result<Self> {
        let mut steps = Vec::new();
        for (n, line) in text.lines().enumerate().skip(1).filter(|(_, l)| !l.trim().is_empty()) {
            let mut fields = line.split(',').map(|f| f.trim().parse::<f64>());
            let mut next = || fields.next().transpose().with_context(|| format!("line {}: {line:?} is no step", n + 1));
            let (time, rate) = (next()?.context("no time")?, next()?.context("no rate")?);
            steps.push((time, rate * scale, next()?.unwrap_or(DEFAULT_RTT_MS)));
        }
        Self::new(&steps)
    }

    /// Length of the recording in seconds.
    pub fn period(&self) -> f64 {
        self.times[self.times.len() - 1]
    }

    /// Round trip at `t`.
    pub fn rtt(&self, t: f64) -> f64 {
        self.rtts[self.step(t % self.period())]
    }

    /// Bits that pass between `from` and `to`.
    pub fn bits(&self, from: f64, to: f64) -> f64 {
        let mut sum = 0.0;
        self.walk(from, |start, end, rate| {
            sum += rate * (end.min(to) - start).max(0.0);
            (end >= to).then_some(())
        });
        sum
    }

    /// When `bits` that start at `from` are all here; never later than `limit`, which then is infinity.
    pub fn end(&self, from: f64, bits: f64, limit: f64) -> f64 {
        let mut left = bits;
        self.walk(from, |start, end, rate| {
            let here = rate * (end - start);
            if here >= left {
                return Some(start + left / rate.max(1e-9));
            }
            left -= here;
            (end > limit).then_some(f64::INFINITY)
        })
    }

    fn step(&self, t: f64) -> usize {
        self.times.partition_point(|&start| start <= t).saturating_sub(1).min(self.times.len() - 2)
    }

    /// Calls `visit` with each step from `from` on until it answers.
    fn walk<T>(&self, from: f64, mut visit: impl FnMut(f64, f64, f64) -> Option<T>) -> T {
        let period = self.period();
        let mut lap = (from / period).floor() * period;
        let mut step = self.step(from - lap);
        let mut start = from;
        loop {
            let end = (lap + self.times[step + 1]).max(start);
            if let Some(answer) = visit(start, end, self.rates[step]) {
                return answer;
            }
            start = end;
            step += 1;
            if step + 1 == self.times.len() {
                step = 0;
                lap += period;
            }
        }
    }
}

const DEFAULT_RTT_MS: f64 = 40.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfer_runs_over_steps_and_around_the_end() {
        let link = Link::parse("time_s,bandwidth_kbps\n0,1000\n2,0\n3,500\n4,0\n", 1.0).unwrap();
        assert_eq!(link.bits(1.0, 3.5), 1.25e6);
        assert!((link.end(1.0, 1.25e6, 1e3) - 3.5).abs() < 1e-9);
        assert!((link.end(3.5, 0.25e6 + 2e6 + 0.5e6 + 1e6, 1e3) - 9.0).abs() < 1e-9);
        assert_eq!(link.rtt(99.0), 0.04);
    }

    #[test]
    fn dead_link_never_ends() {
        let link = Link::new(&[(0.0, 0.0, 40.0), (5.0, 0.0, 40.0)]).unwrap();
        assert_eq!(link.end(0.0, 1.0, 300.0), f64::INFINITY);
    }

    #[test]
    fn line_that_is_no_step_is_named() {
        let error = Link::parse("time_s,bandwidth_kbps\n0,fast\n", 1.0).unwrap_err();
        assert!(format!("{error:#}").contains("line 2"));
    }
}
