use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

/// A map that forgets what was used least recently once it weighs more than its budget.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys by time of last use.
    order: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
    budget: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    pub(crate) fn new(budget: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), clock: 0, weight: 0, budget }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get_mut(key)?;
        self.clock += 1;
        if let Some(key) = self.order.remove(&entry.used) {
            self.order.insert(self.clock, key);
        }
        entry.used = self.clock;
        Some(&mut entry.value)
    }

    /// Keeps `value`, or does not if it alone weighs more than the budget.
    pub(crate) fn insert(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        if weight > self.budget {
            return;
        }
        self.clock += 1;
        self.weight += weight;
        self.order.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { value, weight, used: self.clock });
        while self.weight > self.budget {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.weight -= entry.weight;
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.weight = 0;
    }

    pub(crate) fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.remove(key)?;
        self.order.remove(&entry.used);
        self.weight -= entry.weight;
        Some(entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut lru = Lru::new(30);
        for key in ["a", "b", "c"] {
            lru.insert(key, key, 10);
        }
        lru.get("a");
        lru.insert("d", "d", 10);
        assert!(lru.get("b").is_none());
        assert!(lru.get("a").is_some() && lru.get("c").is_some() && lru.get("d").is_some());
        assert_eq!(lru.weight, 30);
    }

    #[test]
    fn weight_never_passes_the_budget() {
        let mut lru = Lru::new(1000);
        for n in 0..10_000_usize {
            lru.insert(n % 97, n, (n * 31) % 400);
            assert!(lru.weight <= 1000);
            assert_eq!(lru.weight, lru.entries.values().map(|entry| entry.weight).sum::<usize>());
            assert_eq!(lru.order.len(), lru.entries.len());
        }
    }

    #[test]
    fn what_is_heavier_than_the_budget_is_not_kept_and_replaces_what_was() {
        let mut lru = Lru::new(10);
        lru.insert("a", 1, 5);
        lru.insert("a", 2, 11);
        assert!(lru.get("a").is_none());
        assert_eq!(lru.weight, 0);
        assert_eq!(lru.remove("a"), None);
    }
}
