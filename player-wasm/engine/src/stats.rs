/// Figures of one moment, for the page.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Stats {
    /// The stream goes on.
    pub live: bool,
    /// All of it stays in the list (EXT-X-PLAYLIST-TYPE is EVENT).
    pub grows: bool,
    /// The engine keeps the playhead near the live edge.
    pub at_live_edge: bool,
    /// Unix time in ms at which the worker received what is shown.
    pub program_date_time_ms: Option<f64>,
    /// From then until now, in s; as good as the viewer's clock.
    pub latency_s: Option<f64>,
    /// Distance of the playhead from the newest media that is published, in s.
    pub edge_distance_s: Option<f64>,
    /// What that distance should be.
    pub target_s: Option<f64>,
    /// Media that can be played without a stop, in s.
    pub buffer_s: f64,
    /// The rung that is loaded; 0 is the lowest.
    pub rung: usize,
    /// How many rungs there are.
    pub rungs: usize,
    /// BANDWIDTH of the rung.
    pub bandwidth_bps: u64,
    /// Height of the rung in pixels.
    pub height: u32,
    /// What the network is thought to carry, in bit/s.
    pub estimate_bps: Option<f64>,
    /// How often the viewer had to wait after playback began.
    pub stalls: u32,
    /// The speed that the engine wants.
    pub rate: f64,
}
