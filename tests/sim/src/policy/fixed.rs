//! One rung for ever: the lowest one tells whether a link is playable at all.

use tidegate_abr::{Sample, State};

use super::Policy;

/// Always this rung.
#[derive(Debug)]
pub struct Fixed(pub usize);

impl Policy for Fixed {
    fn sample(&mut self, _sample: Sample) {}

    fn decide(&mut self, _state: &State<'_>) -> usize {
        self.0
    }
}
