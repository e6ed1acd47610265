//! Runs policies over recordings, on a few threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{
    content::Content,
    corpus::Recording,
    optimum, policy,
    score::Score,
    session::{Scene, play},
    setting::Setting,
};

/// Scores of several policies on one recording.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its set.
    pub set: &'static str,
    /// Its name.
    pub name: String,
    /// Whether the lowest rung plays on it.
    pub playable: bool,
    /// One score per policy, in the order asked for.
    pub scores: Vec<Score>,
}

/// Plays every recording with every policy named.
pub fn rows(recordings: &[&Recording], setting: &Setting, names: &[&str], threads: usize) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = Vec::new();
        while let Some(recording) = recordings.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows.push(row(recording, setting, names));
        }
        rows
    };
    let mut rows: Vec<Row> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        handles.into_iter().flat_map(|h| h.join().unwrap_or_default()).collect()
    });
    rows.sort_by(|a, b| (a.set, &a.name).cmp(&(b.set, &b.name)));
    rows
}

fn row(recording: &Recording, setting: &Setting, names: &[&str]) -> Row {
    let content = Content::new(recording.ladder_bps, recording.seed());
    let scene = Scene { setting, content: &content, link: &recording.link, offset_s: 0.0 };
    let score = |name: &str| match policy::by_name(name, setting, recording.ladder_bps) {
        None if name == policy::OPTIMUM => optimum::play(scene),
        Some(mut policy) => play(scene, policy.as_mut()),
        None => Score::default(),
    };
    Row {
        set: recording.set,
        name: recording.name.clone(),
        playable: score("lowest").playable(),
        scores: names.iter().map(|name| score(name)).collect(),
    }
}
