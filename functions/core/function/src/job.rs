use crate::{Input, Output, World};

/// One request on its way to an answer: what every function hands to the host that drives it.
pub trait Job {
    /// What the requests of one instance share. It only saves reads: with a fresh one the answers are the same.
    type State;

    /// Says what comes next; until [`Self::handle`] is called it says the same.
    fn poll(&mut self, state: &mut Self::State, world: &World) -> Output;

    /// Takes what came of the output of [`Self::poll`].
    fn handle(&mut self, state: &mut Self::State, world: &World, input: Input);
}
