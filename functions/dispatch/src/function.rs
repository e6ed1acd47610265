use tidegate_access::Guarded;
use tidegate_analytics::report_path;
use tidegate_function::{Input, Job, Output, Request, World};
use tidegate_stream::split_token;

/// What an instance remembers of all functions between requests.
#[derive(Debug, Default)]
pub struct State {
    manifest: tidegate_access::State<tidegate_manifest::State>,
    metadata: tidegate_metadata::State,
    origin: tidegate_access::State<tidegate_origin::State>,
    analytics: tidegate_access::State<tidegate_analytics::State>,
}

/// A job of any function. All are seen alike: compiled once, what drives them is a fifth of the size.
pub(crate) trait Task: Send {
    fn poll(&mut self, state: &mut State, world: &World) -> Output;
    fn handle(&mut self, state: &mut State, world: &World, input: Input);
}

struct Of<J: Job> {
    job: J,
    state: fn(&mut State) -> &mut J::State,
}

impl<J: Job + Send> Task for Of<J> {
    fn poll(&mut self, state: &mut State, world: &World) -> Output {
        self.job.poll((self.state)(state), world)
    }

    fn handle(&mut self, state: &mut State, world: &World, input: Input) {
        self.job.handle((self.state)(state), world, input);
    }
}

/// Gives a request to the function that its address names: `/api/` and a stream's `info.json` to metadata, `/origin/` and `/steer/` to
/// foreign origins, what players report and what a host tells (which has no method) to analytics; everything else is the manifest function's, which has a word for what is no address at all.
pub(crate) fn begin(mut request: Request) -> Box<dyn Task> {
    let report = report_path(&request.path);
    if report.is_some() || request.method.is_empty() {
        request.path = report.unwrap_or(request.path);
        return Box::new(Of { job: Guarded::new(request, tidegate_analytics::Job::new), state: |state| &mut state.analytics });
    }
    // A token may stand in front.
    let (_, path) = split_token(&request.path);
    if path.starts_with("/origin/") || path.starts_with("/steer/") {
        Box::new(Of { job: Guarded::new(request, tidegate_origin::Job::new), state: |state| &mut state.origin })
    } else if path.starts_with("/api/") || (path.starts_with("/live/") && path.ends_with("/info.json")) {
        Box::new(Of { job: tidegate_metadata::Job::new(request), state: |state| &mut state.metadata })
    } else {
        Box::new(Of { job: Guarded::new(request, tidegate_manifest::Job::new), state: |state| &mut state.manifest })
    }
}
