use std::cell::RefCell;

use tidegate_dispatch::State;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// What this instance remembers between requests. Never borrowed across an await: other requests run there.
pub(crate) fn with_state<T>(act: impl FnOnce(&mut State) -> T) -> T {
    STATE.with_borrow_mut(act)
}
