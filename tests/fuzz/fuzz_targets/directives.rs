//! The query of a playlist request: what it asks for is read or refused, and a stretch of any session is found or is not there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_hls::{Directives, Stretch};
use tidegate_stream::{Session, SessionId, StreamId, Timeline};

fuzz_target!(|query: &str| {
    if let Ok(directives) = Directives::parse(query) {
        assert!(directives.part.is_none() || directives.msn.is_some());
    }
    let Ok(Some(stretch)) = Stretch::parse(query) else { return };
    let stream = StreamId::parse("demo").expect("a name");
    let session = Session { stream, id: SessionId::new(1, 1), target_duration_s: 2, dvr_window_s: 60, renditions: Vec::new() };
    let timeline = Timeline::new(session);
    let _ = stretch.find(&timeline);
    if stretch.check(&timeline).is_err() {
        return;
    }
    let text = stretch.query(&timeline);
    assert!(matches!(Stretch::parse(&text), Ok(Some(_))), "{text}");
});
