/// What the page decides.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Wished distance from the live edge in s; `None` takes what the playlist recommends, less what its transport allows.
    pub latency_s: Option<f64>,
    /// Unix time in ms at 0 of the steady clock.
    pub utc_at_zero_ms: f64,
    /// Media to keep ahead of the playhead, in s.
    pub forward_s: f64,
    /// Media to keep behind the playhead, in s.
    pub back_s: f64,
    /// Where to begin, in s from the start of what is listed, or from its end where negative; goes before what the playlist says.
    pub start_s: Option<f64>,
    /// What the network is expected to carry, from an earlier session; chooses the first rung.
    pub expected_bps: Option<f64>,
    /// Media under keys of others goes to the browser as it is, which has a module that decrypts it.
    pub decrypts: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { latency_s: None, utc_at_zero_ms: 0.0, forward_s: 30.0, back_s: 30.0, start_s: None, expected_bps: None, decrypts: false }
    }
}
