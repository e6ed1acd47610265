/// A key that is looked for until it is there, where the host keeps requests open and does not watch keys itself.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) key: String,
    since_ms: u64,
    expect_ms: u64,
    timeout_ms: u64,
    /// How long to sleep before the next look.
    pause_ms: Option<u64>,
}

impl Wait {
    pub(crate) fn new(key: String, now_ms: u64, expect_ms: u64, timeout_ms: u64) -> Self {
        Self { key, since_ms: now_ms, expect_ms, timeout_ms, pause_ms: Some(expect_ms.min(timeout_ms)) }
    }

    /// The sleep that is due, once; then it is time to look.
    pub(crate) fn pause(&mut self) -> Option<u64> {
        self.pause_ms.take()
    }

    /// The key is not there; whether to go on looking.
    pub(crate) fn missed(&mut self, now_ms: u64) -> bool {
        let waited_ms = now_ms.saturating_sub(self.since_ms);
        let left_ms = self.timeout_ms.saturating_sub(waited_ms);
        self.pause_ms = Some(pause_ms(waited_ms.saturating_sub(self.expect_ms)).min(left_ms));
        left_ms > 0
    }
}

/// How long until the next look for an object that is late: soon at first, then every tenth of a second.
fn pause_ms(late_ms: u64) -> u64 {
    (15 + late_ms / 12).min(100)
}
