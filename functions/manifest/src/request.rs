/// What a viewer asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// As `GET`.
    pub method: String,
    /// As it stands in the request line, with the slash in front and without the query.
    pub path: String,
    /// What stands after the `?`; empty where there is none.
    pub query: String,
    /// The request was answered with [`Answer::Wait`](crate::Answer::Wait) before, and this came of it.
    pub waited: Option<Waited>,
}

/// What came of a wait (header `tidegate-waited`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// The object is there (`1`).
    There,
    /// It did not come in time (`timeout`).
    Timeout,
}

impl Waited {
    /// Reads the value of the header `tidegate-waited`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value.trim() {
            "1" => Some(Self::There),
            "timeout" => Some(Self::Timeout),
            _ => None,
        }
    }
}
