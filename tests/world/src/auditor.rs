//! Asks again for what viewers were told: every edge has to say the same, now and later.

use crate::{edge::Edge, rules::Rules};

/// One for a world.
#[derive(Debug, Default)]
pub struct Auditor {
    /// What is asked for again, oldest first, and when it was answered.
    addresses: Vec<(i64, String)>,
    asked: Vec<(usize, u64, String)>,
    at: i64,
}

/// How often it asks.
const EVERY_US: i64 = 800_000;
/// A little later an edge knows more than it was asked for.
const LATER_US: i64 = 1_500_000;

impl Auditor {
    /// Runs until now.
    pub fn step(&mut self, now: i64, edges: &mut [Edge], rules: &mut Rules) {
        if now - self.at < EVERY_US {
            return;
        }
        self.at = now;
        for (place, id, address) in std::mem::take(&mut self.asked) {
            match edges[place].reply(id) {
                Some(reply) => rules.reply(now, &address, &reply),
                None => edges[place].forget(id),
            }
        }
        self.addresses.extend(rules.newest_named.take().map(|address| (now, address)));
        if self.addresses.first().is_some_and(|(at, _)| now - at >= LATER_US) {
            let (_, address) = self.addresses.remove(0);
            self.asked = (0..edges.len()).map(|place| (place, edges[place].ask(now, &address), address.clone())).collect();
        }
    }
}
