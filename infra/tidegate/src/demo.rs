//! The demo source: a picture of our own, encoded by ffmpeg and pushed over RTMP like anybody else's.

mod glyphs;
pub mod picture;
mod push;
pub mod stamp;

pub use push::push;
