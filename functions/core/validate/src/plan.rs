//! What to ask next, and what the answers mean together.

mod ask;
mod directive;
mod media;
mod playlist;
mod rendition;
mod report;
mod validator;

pub use report::{Mode, RenditionSummary, Report};
pub use validator::{Config, Output, Validator};
