//! Following the log: which object to read next, and what a viewer's request waits for.
