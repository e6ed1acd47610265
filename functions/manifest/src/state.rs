/// What an instance remembers between requests.
#[derive(Debug, Default)]
pub struct State {}

impl State {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
