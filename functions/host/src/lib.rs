//! The edge host: runs the functions component on wasmtime and moves bytes.
