//! What our player tells, as `player-wasm/element/src/cmcd.ts` does: every line says what happened since the one before, and is sent
//! until it is acknowledged.

/// A viewer's player in virtual time.
pub(crate) struct Player {
    session: String,
    state: char,
    kbps: u32,
    number: u32,
    last_ms: Option<u64>,
    ran: bool,
    played_ms: u64,
    stalled_ms: u64,
    stalls: u32,
    pub(crate) lines: Vec<String>,
}

impl Player {
    pub(crate) fn new(session: String, kbps: u32) -> Self {
        let (lines, last_ms) = (Vec::new(), None);
        Self { session, state: 's', kbps, number: 0, last_ms, ran: false, played_ms: 0, stalled_ms: 0, stalls: 0, lines }
    }

    /// Time goes by.
    pub(crate) fn spend(&mut self, ms: u64) {
        match self.state {
            'p' => self.played_ms += ms,
            'r' => self.stalled_ms += ms,
            _ => {}
        }
    }

    pub(crate) fn become_(&mut self, state: char, now_ms: u64, more: &str) {
        self.stalls += u32::from(state == 'r');
        self.state = state;
        self.tell("ps", now_ms, more);
    }

    pub(crate) fn tell(&mut self, event: &str, now_ms: u64, more: &str) {
        let since = self.last_ms.map_or_else(String::new, |last_ms| {
            let (time, played, stalled, stalls, ran) = (now_ms - last_ms, self.played_ms, self.stalled_ms, self.stalls, u8::from(self.ran));
            format!(",com.tidegate-since=\"{time} {played} {stalled} {stalls} {ran}\"")
        });
        // Clocks of players are anything.
        let Self { session, state, kbps, number, .. } = self;
        let ts = now_ms + 5_000_000;
        self.lines.push(format!("br=({kbps}),e={event},sid=\"{session}\",sn={number},sta={state},ts={ts}{since}{more}"));
        self.number += 1;
        (self.played_ms, self.stalled_ms, self.stalls) = (0, 0, 0);
        self.last_ms = Some(now_ms);
        self.ran = self.state == 'p';
    }
}

/// A small generator of numbers that anybody can repeat.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn of_thousand(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }
}
