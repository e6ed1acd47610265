//! The engine as the browser sees it.
