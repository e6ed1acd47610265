use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};

use tidegate_function::Answer;
use tidegate_stream::{Entry, IndexLine, IndexPage, Json, Ledger, MetaKey, StreamId, format_utc};

use crate::{
    answer::{Refusal, json},
    call::{Call, Go, refuse},
    ledger,
    query::Query,
    resource::{live, streams},
};

pub(crate) const QUERY: &[&str] = &["limit", "cursor", "live", "tag", "q", "visibility"];

/// Pages of the index that are read for one page of a search: 16,000 streams. Where more are needed, the answer has fewer items and goes
/// on from there.
const PAGES_MAX: u64 = 32;
/// Items whose documents or heads have to be read for one page.
const LOOKS_MAX: usize = 40;
/// Items of a page of what is live: each costs a look at what its session has written last.
const LIVE_MAX: usize = 25;

/// What is looked for.
struct Wanted {
    live: Option<bool>,
    tag: Option<String>,
    /// In small letters.
    text: Option<String>,
    visibility: Option<String>,
}

impl Wanted {
    /// Whether a line may be of a stream that is looked for. The last word has [`item`]: most lines are none, and those are not unpacked.
    fn may_be(&self, line: &IndexLine<'_>) -> bool {
        let has_tag = |tag: &String| line.tags.split(',').any(|known| same(known, tag));
        line.is_marked
            || (self.tag.as_ref().is_none_or(has_tag)
                && self.visibility.as_ref().is_none_or(|visibility| line.visibility == *visibility)
                && self.text.as_ref().is_none_or(|text| contains(line.title, text)))
    }
}

/// Whether a text in small letters is the same.
fn same(text: &str, small: &str) -> bool {
    if text.is_ascii() { text.eq_ignore_ascii_case(small) } else { text.to_lowercase() == small }
}

/// Whether a text contains another one in small letters.
fn contains(text: &str, small: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(small);
    }
    small.is_empty() || text.as_bytes().windows(small.len()).any(|part| part.eq_ignore_ascii_case(small.as_bytes()))
}

/// Where a page begins: with this stream of this page of the index, or with the newest before it.
struct Cursor {
    page: u64,
    from: Option<(u64, StreamId)>,
}

pub(crate) fn list(call: &mut Call<'_>) -> Go<Answer> {
    let query = Query::parse(&call.request.query, QUERY)?;
    let wanted = Wanted {
        live: query.flag("live")?,
        tag: query.get("tag").map(str::to_lowercase),
        text: query.get("q").map(str::to_lowercase),
        visibility: query.get("visibility").map(Into::into),
    };
    let is_search = wanted.live.is_some() || wanted.tag.is_some() || wanted.text.is_some() || wanted.visibility.is_some();
    let limit = query.limit(if wanted.live.is_some() { LIVE_MAX } else { usize::MAX })?;
    let start = match query.get("cursor") {
        Some(text) => {
            Cursor::parse(text).ok_or_else(|| refuse(Refusal::Malformed, "`cursor` is what an answer before has given as `next`"))?
        }
        None => Cursor { page: ledger::end(call, Ledger::Index)?.saturating_sub(1), from: None },
    };
    let mut items = Vec::new();
    let mut looks = 0;
    let mut page = start.page;
    loop {
        // All pages of a search are read before any is looked at: each read begins this function again.
        let ahead = if is_search { PAGES_MAX.saturating_sub(start.page - page) } else { 1 };
        let last = page.saturating_sub(ahead.saturating_sub(1));
        let mut read = Vec::new();
        let key = |number| MetaKey::Entry { ledger: Ledger::Index, number };
        for number in (last..=page).rev() {
            let object = if number == page {
                call.read_with(key(number), || (last..page).rev().map(|number| key(number).to_string()).collect())?
            } else {
                call.read(key(number))?
            };
            read.push((number, object));
        }
        for (number, object) in read {
            let lines = object.map(|object| IndexPage::find(object.bytes, |line| wanted.may_be(line))).unwrap_or_default();
            for line in lines.entries().iter().rev() {
                let at = (line.created_utc_ms, line.stream.clone());
                let is_before = start.page == number && start.from.as_ref().is_some_and(|from| at > *from);
                if is_before {
                    continue;
                }
                if items.len() >= limit || looks >= LOOKS_MAX {
                    return Ok(answer(items, Some(Cursor { page: number, from: Some(at) })));
                }
                if let Some(item) = item(call, &wanted, line, number, &mut looks)? {
                    items.push(item);
                }
            }
        }
        if last == 0 {
            return Ok(answer(items, None));
        }
        page = last - 1;
        if start.page - page >= PAGES_MAX {
            return Ok(answer(items, Some(Cursor { page, from: None })));
        }
    }
}

fn answer(items: Vec<Json>, next: Option<Cursor>) -> Answer {
    json(200, &Json::object().with("items", items).with("next", next.map(|next| next.to_text())))
}

/// A line as an item, where it is wanted.
fn item(call: &mut Call<'_>, wanted: &Wanted, line: &Entry, page: u64, looks: &mut usize) -> Go<Option<Json>> {
    let document;
    let mut summary = &line.summary;
    let mut deleted = line.deleted || line.revision == 0;
    if !line.marks.is_empty() {
        // Somebody is changing it, or began to and did not end: the document knows.
        *looks += 1;
        let stored = streams::read(call, &line.stream, true)?;
        let Some(entry) = stored.and_then(|stored| streams::entry(&line.stream, &stored.json, page)) else { return Ok(None) };
        document = entry;
        (summary, deleted) = (&document.summary, document.deleted);
    }
    let has_tag = |tag: &String| summary.tags.iter().any(|known| same(known, tag));
    let fits = !deleted
        && wanted.tag.as_ref().is_none_or(has_tag)
        && wanted.visibility.as_ref().is_none_or(|visibility| summary.visibility == *visibility)
        && wanted.text.as_ref().is_none_or(|text| contains(&summary.title, text));
    if !fits {
        return Ok(None);
    }
    let mut is_live = line.session.is_some();
    if let (Some(wanted), Some(session)) = (wanted.live, &line.session) {
        // A worker that died has not said that its session is over; what it wrote last says it.
        *looks += 1;
        is_live = live::of_session(call, &line.stream, session)?.is_live();
        if is_live != wanted {
            return Ok(None);
        }
    } else if wanted.live.is_some_and(|wanted| wanted != is_live) {
        return Ok(None);
    }
    let tags: Vec<Json> = summary.tags.iter().map(|tag| Json::from(tag.as_str())).collect();
    let item = Json::object()
        .with("id", line.stream.as_str())
        .with("title", summary.title.as_str())
        .with("tags", tags)
        .with("language", Some(summary.language.as_str()).filter(|language| !language.is_empty()))
        .with("category", summary.category.as_str())
        .with("visibility", summary.visibility.as_str())
        .with("created", format_utc(line.created_utc_ms))
        .with("live", is_live);
    Ok(Some(item))
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, '.');
        let mut number = || {
            let word = words.next()?;
            word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok())?
        };
        let page: u64 = number()?;
        // Beyond what will ever be, and what cannot be added to.
        if page > u64::from(u32::MAX) {
            return None;
        }
        let from = match number() {
            Some(created) => Some((created, StreamId::parse(words.next()?).ok()?)),
            None => None,
        };
        Some(Self { page, from })
    }

    fn to_text(&self) -> String {
        match &self.from {
            Some((created, stream)) => format!("{}.{created}.{stream}", self.page),
            None => format!("{}", self.page),
        }
    }
}
