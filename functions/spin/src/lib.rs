//! The functions as one WASM component for Spin and for our host.
