//! What a session could have come to for someone who knows the link beforehand.
//!
//! A beam search through the very model that policies are played in: at each segment every kept state is continued with every
//! rung, states that stand alike (rung, buffer, distance to live) are merged to the better one, and the best are kept. Requests
//! are never given up. The result is a lower bound of the true optimum, near enough to say how much room is left.

use std::collections::BTreeMap;

use crate::{
    score::Score,
    session::{Scene, Session},
    setting::SESSION_S,
};

/// States kept after each segment.
const BEAM: usize = 48;
/// States this near to each other, in seconds, count as alike.
const ALIKE_S: f64 = 0.2;

/// Plays the best sequence of rungs that the search finds.
pub fn play(scene: Scene<'_>) -> Score {
    let mut beam = vec![Session::new(scene)];
    let mut ended: Option<Score> = None;
    // One segment at least comes off the session's time in each round.
    while !beam.is_empty() {
        let mut next = BTreeMap::<(usize, i64, i64), (f64, Session<'_>)>::new();
        for session in &beam {
            for q in 0..scene.content.ladder_bps.len() {
                let mut after = session.clone();
                after.segment(&mut crate::policy::Fixed(q));
                if after.now() >= SESSION_S {
                    let score = after.score();
                    if ended.is_none_or(|best| score.qoe() > best.qoe()) {
                        ended = Some(score);
                    }
                    continue;
                }
                let value = after.value_so_far();
                let (buffer, behind) = after.place();
                let key = (q, (buffer / ALIKE_S) as i64, (behind / ALIKE_S) as i64);
                match next.get(&key) {
                    Some((best, _)) if *best >= value => {}
                    _ => {
                        next.insert(key, (value, after));
                    }
                }
            }
        }
        let mut kept: Vec<(f64, Session<'_>)> = next.into_values().collect();
        kept.sort_by(|a, b| b.0.total_cmp(&a.0));
        kept.truncate(BEAM);
        beam = kept.into_iter().map(|(_, session)| session).collect();
    }
    ended.unwrap_or_default()
}
