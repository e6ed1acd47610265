//! Who watches: what edges have counted and a compactor has added up, see `functions/analytics/README.md`.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_beacon::{Cells, Dimension, Figures, Lost, Rollup, Window};
use tidegate_function::Answer;
use tidegate_stream::{AnalyticsKey, Json, Scope, StreamId, format_utc, parse_utc};

use crate::{
    answer::{Refusal, cached, json, with_header},
    call::{Call, Go, Stop, refuse, unreadable},
    query::Query,
    resource::{live, streams},
};

pub(crate) const QUERY: &[&str] = &["from", "to", "step", "by", "format"];

/// How long copies of what everybody may see are kept, in s.
const KEPT_S: u32 = 2;
/// How long before and after a time somebody may report what was watched in it.
const BESIDE_MS: u64 = 120_000;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 86_400_000;
/// Points of an answer.
const POINTS_MAX: u64 = 1_500;
/// Hours or days that are read for one answer.
const OBJECTS_MAX: u64 = 200;
/// Of them, read at the same time where the host can.
const AHEAD: usize = 16;

/// `GET …/viewers`
pub(crate) fn now(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let owner = call.trusted || call.request.header("authorization").is_some();
    if owner {
        call.authorize(Scope::AnalyticsRead)?;
    }
    let document = document(call, &stream)?;
    if !owner && document.text_of("visibility") == "private" {
        return Err(none(&stream));
    }
    if !owner && document.text_of("viewer_count") == "hidden" {
        return Err(refuse(Refusal::Unauthorized, "the number of viewers of this stream is not shown: send an API token"));
    }
    let latest = match call.read(AnalyticsKey::Latest { stream: stream.clone() })? {
        Some(object) => Json::parse(object.bytes).map_err(|_| unreadable())?,
        None => {
            let by = Dimension::ALL.iter().fold(Json::object(), |json, dimension| json.with(dimension.as_str(), Vec::new()));
            let nobody = Json::object().with("stream", stream.as_str()).with("at", format_utc(call.now_utc_ms)).with("viewers", 0u32);
            nobody.with("peak_today", 0u32).with("by", by).with("ingest", Json::Null).with("lost", Vec::new())
        }
    };
    if owner {
        return Ok(json(200, &latest));
    }
    let public = ["stream", "at", "viewers"].iter().filter_map(|name| Some((name, latest.get(name)?)));
    Ok(cached(&public.fold(Json::object(), |json, (name, value)| json.with(name, value.clone())), KEPT_S))
}

/// The document of a stream that is there. One that was made by publishing it has none.
fn document(call: &mut Call<'_>, stream: &StreamId) -> Go<Json> {
    match streams::read(call, stream, false)? {
        Some(stored) if stored.is_deleted() => Err(none(stream)),
        Some(stored) => Ok(stored.json),
        None if live::newest(call, stream)?.is_none() => Err(none(stream)),
        None => Ok(Json::object()),
    }
}

fn none(stream: &StreamId) -> Stop {
    refuse(Refusal::NotFound, format_args!("there is no stream {stream}"))
}

/// What is asked for.
struct Asked {
    from_ms: u64,
    to_ms: u64,
    step_ms: u64,
    by: Option<Dimension>,
    csv: bool,
}

impl Asked {
    fn parse(call: &Call<'_>) -> Go<Self> {
        let query = Query::parse(&call.request.query, QUERY)?;
        let bad = |detail: &str| refuse(Refusal::Malformed, detail);
        let time = |name| match query.get(name) {
            None => Ok(None),
            Some(text) => parse_utc(text).map(Some).ok_or_else(|| bad("`from` and `to` are times as 2026-11-25T23:10:40Z")),
        };
        let now_ms = call.now_utc_ms;
        let to_ms = time("to")?.unwrap_or(now_ms);
        let from_ms = time("from")?.unwrap_or_else(|| to_ms.saturating_sub(HOUR_MS));
        if from_ms >= to_ms {
            return Err(bad("`from` is before `to`"));
        }
        let length_ms = to_ms - from_ms;
        let step_ms = match query.get("step") {
            Some("60") => MINUTE_MS,
            Some("300") => 5 * MINUTE_MS,
            Some("3600") => HOUR_MS,
            Some("86400") => DAY_MS,
            Some(_) => return Err(bad("`step` is 60, 300, 3600 or 86400")),
            None if length_ms <= 6 * HOUR_MS => MINUTE_MS,
            None if length_ms <= 2 * DAY_MS => 5 * MINUTE_MS,
            None if length_ms <= 30 * DAY_MS => HOUR_MS,
            None => DAY_MS,
        };
        let by = match query.get("by") {
            None => None,
            Some(name) => Some(Dimension::parse(name).ok_or_else(|| bad("`by` is country, region, device, rendition, network or edge"))?),
        };
        let accepts_csv = call.request.header("accept").is_some_and(|accept| accept.contains("text/csv"));
        let csv = match query.get("format") {
            None => accepts_csv,
            Some("json") => false,
            Some("csv") => true,
            Some(_) => return Err(bad("`format` is json or csv")),
        };
        // Points begin where their step does.
        let asked = Self { from_ms: from_ms / step_ms * step_ms, to_ms: to_ms.div_ceil(step_ms) * step_ms, step_ms, by, csv };
        let object_ms = asked.object_ms();
        let objects = asked.to_ms.div_ceil(object_ms) - asked.from_ms / object_ms;
        if (asked.to_ms - asked.from_ms) / step_ms > POINTS_MAX || objects > OBJECTS_MAX {
            return Err(bad("that are too many points: ask for a longer step or a shorter time"));
        }
        Ok(asked)
    }

    /// What one object covers, and one window in it.
    fn object_ms(&self) -> u64 {
        if self.step_ms < HOUR_MS { HOUR_MS } else { DAY_MS }
    }

    fn window_ms(&self) -> u64 {
        if self.step_ms < HOUR_MS { MINUTE_MS } else { HOUR_MS }
    }
}

/// `GET …/analytics`
pub(crate) fn figures(call: &mut Call<'_>) -> Go<Answer> {
    let stream = call.stream()?;
    let asked = Asked::parse(call)?;
    document(call, &stream)?;
    let (windows, lost) = read(call, &stream, &asked)?;
    let mut cells = Cells::default();
    windows.values().for_each(|window| cells.merge(&window.all.cells));
    let mut total = Window::default();
    let mut points: BTreeMap<u64, Window> = BTreeMap::new();
    for (number, window) in &windows {
        let at_ms = number * asked.window_ms();
        if (asked.from_ms..asked.to_ms).contains(&at_ms) {
            points.entry(at_ms / asked.step_ms * asked.step_ms).or_default().merge(window);
            total.merge(window);
        }
    }
    let whole = Figures { from_ms: asked.from_ms, to_ms: asked.to_ms.min(call.now_utc_ms), window: &total, cells: &cells };
    let nothing = Window::default();
    let point = |at_ms: u64| Figures {
        from_ms: at_ms,
        to_ms: at_ms + asked.step_ms,
        window: points.get(&at_ms).unwrap_or(&nothing),
        cells: &cells,
    };
    let steps = || (asked.from_ms..asked.to_ms.min(call.now_utc_ms)).step_by(usize::try_from(asked.step_ms).unwrap_or(usize::MAX));
    if asked.csv {
        return Ok(csv(
            &stream,
            match asked.by {
                Some(dimension) => whole.csv_by(dimension),
                None => steps().fold(whole.csv_head(), |text, at_ms| text + &point(at_ms).csv()),
            },
        ));
    }
    let series: Vec<Json> = steps()
        .map(|at_ms| {
            let figures = point(at_ms).json();
            figures
                .members()
                .iter()
                .fold(Json::object().with("at", format_utc(at_ms)), |json, (name, value)| json.with(name, value.clone()))
        })
        .collect();
    let ingest: Vec<Json> = points.iter().map(|(at_ms, window)| window.ingest.json(*at_ms)).filter(|json| *json != Json::Null).collect();
    let mut answer = Json::object()
        .with("stream", stream.as_str())
        .with("from", format_utc(asked.from_ms))
        .with("to", format_utc(asked.to_ms))
        .with("step_s", asked.step_ms / 1000)
        .with("total", whole.json())
        .with("series", series);
    if let Some(dimension) = asked.by {
        answer.set("by", Json::object().with("dimension", dimension.as_str()).with("values", whole.by(dimension)));
    }
    answer.set("spread", whole.spread());
    answer.set("ingest", ingest);
    answer.set("lost", lost.iter().map(Lost::json).collect::<Vec<_>>());
    Ok(json(200, &answer))
}

/// The windows of a time, and more on each side: reports tell of what was watched shortly before and after.
fn read(call: &mut Call<'_>, stream: &StreamId, asked: &Asked) -> Go<(BTreeMap<u64, Window>, Vec<Lost>)> {
    let object_ms = asked.object_ms();
    let first = asked.from_ms.saturating_sub(BESIDE_MS) / object_ms;
    let end = (asked.to_ms + BESIDE_MS).min(call.now_utc_ms + object_ms).div_ceil(object_ms);
    let mut objects = Vec::new();
    let key = |number| {
        let stream = stream.clone();
        if object_ms == HOUR_MS { AnalyticsKey::Hour { stream, hour: number } } else { AnalyticsKey::Day { stream, day: number } }
    };
    for number in first..end {
        let ahead = || (number + 1..end).take(AHEAD).map(|number| key(number).to_string()).collect();
        // Every so many a host is told of the next ones.
        let object =
            if (number - first).is_multiple_of(AHEAD as u64) { call.read_with(key(number), ahead)? } else { call.read(key(number))? };
        objects.extend(object.map(|object| object.bytes));
    }
    // Every object is here: none is decoded twice.
    let (mut windows, mut lost) = (BTreeMap::new(), Vec::new());
    for bytes in objects {
        let rollup = Rollup::decode(bytes).map_err(|_| unreadable())?;
        windows.extend(rollup.windows);
        lost.extend(rollup.lost);
    }
    Ok((windows, lost))
}

fn csv(stream: &StreamId, text: String) -> Answer {
    let mut answer = json(200, &Json::Null);
    if let Answer::Respond { headers, body, .. } = &mut answer {
        headers.retain(|(name, _)| *name != "content-type");
        headers.push(("content-type", "text/csv; charset=utf-8".into()));
        *body = text.into_bytes();
    }
    with_header(answer, "content-disposition", format!("attachment; filename=\"{stream}.csv\""))
}
