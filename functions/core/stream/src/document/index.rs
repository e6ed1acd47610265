use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{SessionId, StreamId};

/// `meta/index/<number>`: some streams, one a line, in the order in which they were made.
///
/// A stream is on the page that its document names, for ever. The document is the truth; a line says what lists and searches need of it.
/// Whoever is about to change a document first puts a mark into its line and takes it out together with the new line afterwards, so that
/// a change that stops in between is seen: the line of a stream is as good as its document where it has no mark, and the document is
/// read where it has one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct IndexPage {
    entries: Vec<Entry>,
}

/// One line of the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The stream.
    pub stream: StreamId,
    /// When it was made, in ms since 1970.
    pub created_utc_ms: u64,
    /// The revision of the document that this line tells of; 0 before there is one.
    pub revision: u64,
    /// The document tells of a stream that was deleted.
    pub deleted: bool,
    /// The session that is live, as far as workers have said.
    pub session: Option<SessionId>,
    /// One for each change that is under way: the time at which it began, and a number that tells it from others.
    pub marks: Vec<SessionId>,
    /// What lists show.
    pub summary: Summary,
}

/// What searches compare of a line, as it stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexLine<'a> {
    /// Somebody is changing the stream: what the line says may be old.
    pub is_marked: bool,
    /// `public`, `unlisted` or `private`.
    pub visibility: &'a str,
    /// With commas between them.
    pub tags: &'a str,
    /// One line.
    pub title: &'a str,
}

/// What a list shows of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// `public`, `unlisted` or `private`.
    pub visibility: String,
    /// As `de-AT`; empty where it is not known.
    pub language: String,
    /// Empty where there is none.
    pub category: String,
    /// Without commas.
    pub tags: Vec<String>,
    /// One line.
    pub title: String,
}

/// Streams on a page. A page of full lines has 100 kB; the next one is begun then.
pub const PAGE_ENTRIES: usize = 512;
/// Changes of one stream that may be under way at once.
const MARKS_MAX: usize = 16;
/// A change that began this long ago, in ms, is over, however it ended: no request lasts as long.
const MARK_LIFE_MS: u64 = 600_000;
/// What is read of a page, in lines: more than are ever there, since streams that come back are added to their old page.
const LINES_MAX: usize = 4 * PAGE_ENTRIES;

impl IndexPage {
    /// Reads a page. What is no line of ours is left out: one bad line must not hide all others.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let text = core::str::from_utf8(text).unwrap_or_default();
        Self { entries: text.lines().take(LINES_MAX).filter_map(Entry::parse).collect() }
    }

    /// Reads the lines of a page that may be wanted: a search looks at thousands.
    #[must_use]
    pub fn find(text: &[u8], may_be: impl Fn(&IndexLine<'_>) -> bool) -> Self {
        let text = core::str::from_utf8(text).unwrap_or_default();
        let is_wanted = |line: &&str| IndexLine::parse(line).is_some_and(|line| may_be(&line));
        Self { entries: text.lines().take(LINES_MAX).filter(is_wanted).filter_map(Entry::parse).collect() }
    }

    /// The bytes for the bucket.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::new();
        for entry in &self.entries {
            entry.write(&mut text);
        }
        text.into_bytes()
    }

    /// The lines, oldest stream first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether new streams go to the next page.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= PAGE_ENTRIES
    }

    /// The line of a stream.
    #[must_use]
    pub fn entry(&self, stream: &StreamId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.stream == *stream)
    }

    fn entry_mut(&mut self, stream: &StreamId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.stream == *stream)
    }

    /// Puts a mark into the line of a stream, which is added where it is missing. False where too many changes are under way.
    #[must_use]
    pub fn mark(&mut self, stream: &StreamId, created_utc_ms: u64, mark: &SessionId) -> bool {
        if self.entry(stream).is_none() {
            let entry = Entry {
                stream: stream.clone(),
                created_utc_ms,
                revision: 0,
                deleted: false,
                session: None,
                marks: Vec::new(),
                summary: Summary::default(),
            };
            let at = self.entries.partition_point(|known| (known.created_utc_ms, &known.stream) < (created_utc_ms, stream));
            self.entries.insert(at, entry);
        }
        let Some(entry) = self.entry_mut(stream) else { return false };
        if !entry.marks.contains(mark) {
            entry.marks.push(mark.clone());
        }
        entry.marks.len() <= MARKS_MAX
    }

    /// Says what a document now says (`None`: there is none, or it tells of another page), and takes a mark out.
    pub fn settle(&mut self, stream: &StreamId, document: Option<&Entry>, mark: Option<&SessionId>) {
        if self.entry(stream).is_none()
            && let Some(document) = document.filter(|document| !document.deleted)
        {
            // The line was thought to be left over and is not: the document came later than anybody waited.
            let _ = self.mark(stream, document.created_utc_ms, &SessionId::new(0, 0));
            self.forget_marks(stream, |_| false);
        }
        if let Some(mark) = mark {
            self.forget_marks(stream, |known| known != mark);
        }
        let Some(entry) = self.entry_mut(stream) else { return };
        if let Some(document) = document.filter(|document| document.revision > entry.revision) {
            entry.revision = document.revision;
            entry.deleted = document.deleted;
            entry.summary = document.summary.clone();
        }
        // A line without a document, and one of a deleted stream, goes as soon as nobody is at it.
        self.entries.retain(|entry| !(entry.stream == *stream && entry.marks.is_empty() && (entry.deleted || entry.revision == 0)));
    }

    /// Takes out the marks of changes that are over since long. The line has to be settled then, with a document that is newer.
    pub fn forget_old_marks(&mut self, stream: &StreamId, now_utc_ms: u64) {
        self.forget_marks(stream, |mark| mark.utc_ms().saturating_add(MARK_LIFE_MS) > now_utc_ms);
    }

    fn forget_marks(&mut self, stream: &StreamId, keep: impl Fn(&SessionId) -> bool) {
        if let Some(entry) = self.entry_mut(stream) {
            entry.marks.retain(keep);
        }
    }

    /// Says that a session of a stream is live; whether that changes anything.
    pub fn begin(&mut self, stream: &StreamId, session: &SessionId) -> bool {
        let Some(entry) = self.entry_mut(stream) else { return false };
        // Two workers may say the same, and an older one may come late.
        let newer = entry.session.as_ref().is_none_or(|known| known < session);
        if newer {
            entry.session = Some(session.clone());
        }
        newer
    }

    /// Says that a session of a stream is over; whether that changes anything.
    pub fn end(&mut self, stream: &StreamId, session: &SessionId) -> bool {
        let Some(entry) = self.entry_mut(stream) else { return false };
        let is_it = entry.session.as_ref() == Some(session);
        if is_it {
            entry.session = None;
        }
        is_it
    }
}

impl<'a> IndexLine<'a> {
    /// The places of [`Entry::write`].
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t').skip(5);
        let is_marked = !fields.next()?.is_empty();
        let visibility = fields.next()?;
        let mut fields = fields.skip(2);
        Some(Self { is_marked, visibility, tags: fields.next()?, title: fields.next()? })
    }
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let mut field = || fields.next();
        let stream = StreamId::parse(field()?).ok()?;
        let created_utc_ms = field()?.parse().ok()?;
        let revision = field()?.parse().ok()?;
        let deleted = field()? == "deleted";
        let session = SessionId::parse(field()?).ok();
        let marks = words(field()?).filter_map(|mark| SessionId::parse(mark).ok()).collect();
        let (visibility, language, category) = (field()?.into(), field()?.into(), field()?.into());
        let tags = words(field()?).map(Into::into).collect();
        let title = field()?.into();
        let summary = Summary { visibility, language, category, tags, title };
        Some(Self { stream, created_utc_ms, revision, deleted, session, marks, summary })
    }

    fn write(&self, out: &mut String) {
        let Self { stream, created_utc_ms, revision, deleted, session, marks, summary } = self;
        let session = session.as_ref().map_or("", SessionId::as_str);
        let marks: Vec<String> = marks.iter().map(ToString::to_string).collect();
        let deleted = if *deleted { "deleted" } else { "" };
        out.push_str(&format!("{stream}\t{created_utc_ms}\t{revision}\t{deleted}\t{session}\t{}", marks.join(",")));
        let tags: Vec<String> = summary.tags.iter().map(|tag| plain(tag).replace(',', " ")).collect();
        for text in
            [&plain(&summary.visibility), &plain(&summary.language), &plain(&summary.category), &tags.join(","), &plain(&summary.title)]
        {
            out.push('\t');
            out.push_str(text);
        }
        out.push('\n');
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').filter(|word| !word.is_empty())
}

/// A text that stays in its field.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> StreamId {
        StreamId::parse(name).unwrap()
    }

    fn document(name: &str, revision: u64, title: &str) -> Entry {
        let summary = Summary { title: title.into(), tags: alloc::vec!["a b".into(), "c".into()], ..Summary::default() };
        Entry { stream: stream(name), created_utc_ms: 7, revision, deleted: false, session: None, marks: Vec::new(), summary }
    }

    fn mark(n: u64) -> SessionId {
        SessionId::new(1000, n)
    }

    #[test]
    fn pages_round_trip_and_hostile_text_stays_in_its_field() {
        let mut page = IndexPage::default();
        assert!(page.mark(&stream("b"), 2, &mark(1)));
        assert!(page.mark(&stream("a"), 1, &mark(2)));
        page.settle(&stream("b"), Some(&document("b", 1, "two\tfields\nand a line")), None);
        page.begin(&stream("b"), &SessionId::new(5, 5));
        let again = IndexPage::parse(&page.to_bytes());
        assert_eq!(again.entries().iter().map(|entry| entry.stream.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(again.entry(&stream("b")).unwrap().summary.title, "two fields and a line");
        assert_eq!(again.to_bytes(), page.to_bytes());
        assert_eq!(IndexPage::parse(b"nonsense\n\xff").entries(), []);
    }

    #[test]
    fn late_line_does_not_replace_newer_one() {
        let mut page = IndexPage::default();
        assert!(page.mark(&stream("a"), 7, &mark(1)) && page.mark(&stream("a"), 7, &mark(2)));
        page.settle(&stream("a"), Some(&document("a", 3, "new")), Some(&mark(2)));
        page.settle(&stream("a"), Some(&document("a", 2, "old")), Some(&mark(1)));
        let entry = page.entry(&stream("a")).unwrap();
        assert_eq!((entry.summary.title.as_str(), entry.marks.len()), ("new", 0));
    }

    #[test]
    fn line_of_a_deleted_stream_stays_as_long_as_somebody_is_at_it() {
        let mut page = IndexPage::default();
        assert!(page.mark(&stream("a"), 7, &mark(1)) && page.mark(&stream("a"), 7, &mark(2)));
        let grave = Entry { deleted: true, ..document("a", 3, "") };
        page.settle(&stream("a"), Some(&grave), Some(&mark(2)));
        assert!(page.entry(&stream("a")).unwrap().deleted);
        page.settle(&stream("a"), Some(&document("a", 2, "late")), Some(&mark(1)));
        assert_eq!(page.entry(&stream("a")), None);
    }

    #[test]
    fn marks_are_forgotten_after_ten_minutes_and_never_too_many() {
        let mut page = IndexPage::default();
        for n in 0..MARKS_MAX as u64 {
            assert!(page.mark(&stream("a"), 7, &mark(n)));
        }
        assert!(!page.mark(&stream("a"), 7, &mark(99)));
        page.forget_old_marks(&stream("a"), 1000 + MARK_LIFE_MS - 1);
        page.settle(&stream("a"), None, None);
        assert!(page.entry(&stream("a")).is_some());
        page.forget_old_marks(&stream("a"), 1000 + MARK_LIFE_MS);
        page.settle(&stream("a"), None, None);
        assert_eq!(page.entries(), []);
    }
}
