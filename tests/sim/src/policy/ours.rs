//! The policy of the product, the very crate that browsers run.

use std::{cell::RefCell, sync::Arc};

use tidegate_abr::{Abr, Decision, Progress, Sample, State, Tables};

use super::Policy;
use crate::setting::Setting;

/// Our policy with its tables ready, as after the first second of playback.
#[derive(Debug)]
pub struct Ours(Abr);

thread_local! {
    /// Tables are built once per ladder and setting; the last few are kept.
    static TABLES: RefCell<Vec<Arc<Tables>>> = const { RefCell::new(Vec::new()) };
}

impl Ours {
    /// A session.
    pub fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        let config = setting.config(ladder_bps);
        let tables = TABLES.with_borrow_mut(|kept| {
            kept.iter().find(|t| t.fits(&config)).cloned().unwrap_or_else(|| {
                let tables = Arc::new(Tables::build(&config));
                kept.push(Arc::clone(&tables));
                if kept.len() > TABLES_KEPT {
                    kept.remove(0);
                }
                tables
            })
        });
        Self(Abr::with_tables(config, tables))
    }

    /// The decision with its reasons.
    pub fn explain(&mut self, state: &State<'_>) -> Decision {
        self.0.decide(state)
    }
}

impl Policy for Ours {
    fn sample(&mut self, sample: Sample) {
        self.0.sample(sample);
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        self.0.decide(state).rendition
    }

    fn progress(&mut self, progress: &Progress<'_>) -> Option<usize> {
        // As an outside simulator tells it: the first byte's time has to be guessed.
        let progress = Progress { chunk_transfer_s: None, ..*progress };
        Some(self.0.progress(&progress)?.rendition)
    }
}

const TABLES_KEPT: usize = 9;
