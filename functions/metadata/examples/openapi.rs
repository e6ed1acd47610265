//! Prints the description of the API, for the file beside this crate.
#![allow(clippy::print_stdout, reason = "that is what it is for")]

fn main() {
    println!("{}", tidegate_metadata::openapi());
}
