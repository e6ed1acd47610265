use alloc::{format, vec::Vec};

use tidegate_stream::{AsOf, Event, Timeline};

/// The class of the event that says that a slate stands in for a source, from its first part to the next period.
pub const SLATE_CLASS: &str = "com.tidegate.slate";

/// Says that a slate begins now.
#[must_use]
pub fn slate_event(now_utc_us: i64) -> Event {
    Event {
        id: format!("slate-{}", now_utc_us / 1000),
        class: SLATE_CLASS.into(),
        start_utc_us: now_utc_us,
        attributes: Vec::new(),
        ..Event::default()
    }
}

/// Whether a log shows a slate at its end.
pub(super) fn is_slate(timeline: &Timeline) -> bool {
    let period = |msn| timeline.segment(msn).map(|segment| segment.period);
    let newest = timeline.segments().back().map(|segment| segment.period);
    let said = timeline.events(AsOf::End).filter(|announced| announced.event.class == SLATE_CLASS).last();
    said.is_some_and(|said| newest.is_some() && period(said.at.msn) == newest)
}
