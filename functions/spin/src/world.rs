use std::{
    cell::RefCell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use spin_sdk::wasip3::random::random::get_random_bytes;
use tidegate_function::World;

/// Random bytes that are asked for at one time: a call to the host costs more than the bytes.
const POOL_BYTES: u64 = 1024;

thread_local! {
    static POOL: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What a function is told about the world at this moment.
pub(crate) fn world() -> World {
    World { now_utc_ms: u64::try_from(now().as_millis()).unwrap_or(u64::MAX), random: random() }
}

fn random() -> [u8; 32] {
    POOL.with_borrow_mut(|pool| {
        if pool.len() < 32 {
            *pool = get_random_bytes(POOL_BYTES);
        }
        let mut random = [0; 32];
        let rest = pool.len().saturating_sub(32);
        // What was given away is not kept.
        for (to, from) in random.iter_mut().zip(pool.drain(rest..)) {
            *to = from;
        }
        random
    })
}
