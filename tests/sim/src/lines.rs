//! The protocol for outside simulators: one JSON object per line in, one answer per line out. `player-wasm/abr.mjs` is its twin
//! over the WASM module.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_abr::{Abr, CatchUp, Config, Progress, Sample, State, Tables};

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Message {
    /// A session begins.
    Init(Init),
    /// A segment is about to be asked for.
    Decide(Decide),
    /// A request runs.
    Progress(Running),
    /// Nothing follows.
    End,
    /// Anything else.
    #[serde(other)]
    Other,
}

/// What a session is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct Init {
    pub ladder_kbps: Vec<f64>,
    pub seg_s: f64,
    pub chunk_s: Option<f64>,
    pub live: bool,
    pub transport: Option<String>,
    pub target_latency_s: Option<f64>,
    pub max_buffer_s: Option<f64>,
    pub rate_min: Option<f64>,
    pub rate_max: Option<f64>,
    pub rtt_ms: Option<f64>,
}

impl Default for Init {
    fn default() -> Self {
        Self {
            ladder_kbps: Vec::new(),
            seg_s: 2.0,
            chunk_s: None,
            live: false,
            transport: None,
            target_latency_s: None,
            max_buffer_s: None,
            rate_min: None,
            rate_max: None,
            rtt_ms: None,
        }
    }
}

/// Where playback stands, and what was transferred.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct Decide {
    #[serde(flatten)]
    pub at: At,
    pub samples: Vec<Transfer>,
    pub next_bits: Option<Vec<Vec<f64>>>,
}

/// Where playback stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct At {
    pub buffer_s: f64,
    pub latency_s: Option<f64>,
    pub rate: Option<f64>,
    pub last_q: Option<i64>,
    pub playing: bool,
    pub started: bool,
}

/// A transfer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct Transfer {
    pub bits: f64,
    pub ttfb_s: f64,
    pub dl_s: f64,
    pub q: usize,
    pub dur_s: f64,
}

/// A running request.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct Running {
    #[serde(flatten)]
    pub at: At,
    pub q: usize,
    pub chunk_elapsed_s: f64,
    pub seg_loaded_bits: f64,
    pub chunk_loaded_bits: f64,
    pub chunk_bits: Option<f64>,
    pub chunk: usize,
    pub buffered_chunks: usize,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are those of the protocol")]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abandon: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answers messages; one session at a time.
#[derive(Debug, Default)]
pub struct Decider {
    abr: Option<Abr>,
    rungs: usize,
    tables: Vec<Arc<Tables>>,
}

impl Decider {
    /// The answer to a line; nothing after the end.
    pub fn line(&mut self, line: &str) -> Option<String> {
        let answer = match serde_json::from_str(line) {
            Ok(message) => self.answer(message)?,
            Err(error) => Answer { error: Some(error.to_string()), ..Answer::default() },
        };
        serde_json::to_string(&answer).ok()
    }

    /// The answer to a message; nothing after the end.
    pub fn answer(&mut self, message: Message) -> Option<Answer> {
        Some(match message {
            Message::Init(init) => {
                self.init(&init);
                Answer { ok: Some(true), progress: Some(true), ..Answer::default() }
            }
            Message::Decide(decide) => Answer { q: Some(self.decide(&decide)), ..Answer::default() },
            Message::Progress(running) => match self.progress(&running) {
                Some(q) => Answer { abandon: Some(true), q: Some(q), ..Answer::default() },
                None => Answer::default(),
            },
            Message::End => return None,
            Message::Other => Answer::default(),
        })
    }

    fn init(&mut self, init: &Init) {
        let parts = init.transport.as_deref().is_none_or(|t| t == "parts");
        let config = Config {
            ladder_bps: init.ladder_kbps.iter().map(|kbps| kbps * 1000.0).collect(),
            segment_s: init.seg_s,
            chunk_s: init.chunk_s.filter(|_| parts).unwrap_or(init.seg_s),
            live: init.live,
            target_latency_s: init.target_latency_s.unwrap_or(0.0),
            max_buffer_s: init.max_buffer_s.unwrap_or(20.0),
            catch_up: CatchUp { min: init.rate_min.unwrap_or(1.0), max: init.rate_max.unwrap_or(1.0) },
            rtt_s: init.rtt_ms.unwrap_or(40.0) / 1000.0,
            parameters: None,
        };
        let kept = self.tables.iter().find(|t| t.fits(&config)).cloned();
        let tables = kept.unwrap_or_else(|| {
            let tables = Arc::new(Tables::build(&config));
            self.tables.push(Arc::clone(&tables));
            self.tables.drain(..self.tables.len().saturating_sub(TABLES_KEPT));
            tables
        });
        self.rungs = config.ladder_bps.len();
        self.abr = Some(Abr::with_tables(config, tables));
    }

    fn decide(&mut self, decide: &Decide) -> usize {
        let sizes = decide.next_bits.as_deref().map_or_else(Vec::new, |rows| self.sizes(rows));
        let Some(abr) = &mut self.abr else { return 0 };
        for s in &decide.samples {
            abr.sample(Sample { bits: s.bits, ttfb_s: s.ttfb_s, transfer_s: s.dl_s, rendition: s.q, media_s: s.dur_s });
        }
        abr.decide(&State { upcoming_bits: &sizes, ..decide.at.state() }).rendition
    }

    fn progress(&self, running: &Running) -> Option<usize> {
        let progress = Progress {
            state: running.at.state(),
            rendition: running.q,
            chunk_elapsed_s: running.chunk_elapsed_s,
            chunk_transfer_s: None,
            segment_loaded_bits: running.seg_loaded_bits,
            chunk_loaded_bits: running.chunk_loaded_bits,
            chunk_bits: running.chunk_bits.unwrap_or(0.0),
            chunk: running.chunk,
            buffered_chunks: running.buffered_chunks,
            whole: false,
        };
        Some(self.abr.as_ref()?.progress(&progress)?.rendition)
    }

    /// Segment after segment, each with one size per rung; also understood the other way round.
    fn sizes(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let n = self.rungs;
        let by_rung = |row: &Vec<f64>| n > 0 && row.len() == n && (n == 1 || row[n - 1] > row[0] * 1.5);
        if rows.iter().all(by_rung) {
            return rows.concat();
        }
        let first = rows.first().map_or(0, Vec::len);
        if rows.len() != n || rows.iter().any(|row| row.len() < first) {
            return Vec::new();
        }
        let turned: Vec<Vec<f64>> = (0..first).map(|k| rows.iter().map(|row| row[k]).collect()).collect();
        if turned.iter().all(by_rung) { turned.concat() } else { Vec::new() }
    }
}

impl At {
    fn state(&self) -> State<'_> {
        State {
            buffer_s: self.buffer_s,
            latency_s: self.latency_s,
            rate: self.rate.unwrap_or(1.0),
            last: self.last_q.and_then(|q| usize::try_from(q).ok()),
            playing: self.playing,
            started: self.started,
            upcoming_bits: &[],
        }
    }
}

const TABLES_KEPT: usize = 8;
