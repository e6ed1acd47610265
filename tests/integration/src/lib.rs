//! Integration tests: the real parts together.
