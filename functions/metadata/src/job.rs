use alloc::vec::Vec;

use tidegate_function::{Answer, Input, Output, Request, World};

use crate::{
    call::{Call, Reached, Stop},
    route,
};

/// One request on its way to an answer.
///
/// What a request does is written as one plain function over what has come of its steps so far. It is run again from its start whenever
/// one more step has an outcome: as the time, the randomness and the outcomes are the same as before, it comes to the same place and
/// one step further. A request has a dozen steps, and none of them costs more than reading a document.
#[derive(Debug)]
pub struct Job {
    request: Request,
    trusted: bool,
    start: Option<(World, Reached)>,
    past: Vec<Input>,
    next: Option<Output>,
}

/// What the requests of one instance share.
#[derive(Debug, Default)]
pub struct State {
    reached: Reached,
}

impl State {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Job {
    /// Starts on a request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self { request, trusted: false, start: None, past: Vec::new(), next: None }
    }

    /// Starts on a request of somebody who holds the keys of the bucket and needs no API token: a command line.
    #[must_use]
    pub fn trusted(request: Request) -> Self {
        Self { trusted: true, ..Self::new(request) }
    }

    fn headless(&self, mut answer: Answer) -> Answer {
        if let Answer::Respond { body, .. } = &mut answer
            && self.request.method == "HEAD"
        {
            body.clear();
        }
        answer
    }
}

impl tidegate_function::Job for Job {
    type State = State;

    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        if let Some(next) = &self.next {
            return next.clone();
        }
        let (world, reached) = self.start.get_or_insert_with(|| (world.clone(), state.reached));
        let mut call = Call::new(&self.request, self.trusted, world, *reached, &self.past);
        let next = match route::answer(&mut call) {
            Ok(answer) => Output::Answer(answer),
            Err(Stop(output)) => *output,
        };
        let next = match next {
            Output::Answer(answer) => Output::Answer(self.headless(answer)),
            other => other,
        };
        state.reached.raise(&call.reached);
        self.next = Some(next.clone());
        next
    }

    fn handle(&mut self, _: &mut State, _: &World, input: Input) {
        if matches!(self.next, Some(Output::Answer(_))) {
            return;
        }
        self.next = None;
        self.past.push(input);
    }
}
