use std::{fs, io, path::Path, time::SystemTime};

use crate::{
    disk::is_missing,
    object::Object,
    path::{Entry, parse_entry},
};

/// What a listing asks for.
#[derive(Clone, Default, Debug)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// Keys that go on after the prefix up to this text are listed as one common prefix.
    pub(crate) delimiter: Option<String>,
    /// Only keys after this one, and none that begins with [`Self::skip`].
    pub(crate) after: String,
    /// The common prefix that the page before ended with.
    pub(crate) skip: Option<String>,
    /// The most objects and common prefixes together.
    pub(crate) max: usize,
}

/// One page of a listing.
#[derive(Default, Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    pub(crate) prefixes: Vec<String>,
    /// Whether there is more.
    pub(crate) truncated: bool,
}

/// An object in a listing.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) len: u64,
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
}

impl Page {
    /// What the next page starts after; the first letter says whether it is a key or a whole common prefix.
    pub(crate) fn token(&self) -> String {
        let key = self.objects.last().map(|object| object.key.as_str());
        let prefix = self.prefixes.last().map(String::as_str);
        let (kind, text) = if prefix > key { ('p', prefix) } else { ('k', key) };
        let hex: String = text.unwrap_or_default().bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{kind}{hex}")
    }
}

/// What [`Page::token`] says: the text to start after, and the common prefix to leave out.
pub(crate) fn start_of(token: &str) -> Option<(String, Option<String>)> {
    let hex = token.get(1..)?.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = hex.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
    let text = String::from_utf8(bytes?).ok()?;
    match token.get(..1)? {
        "k" => Some((text, None)),
        "p" => Some((text.clone(), Some(text))),
        _ => None,
    }
}

/// Lists a bucket in the order of the bytes of its keys. Reads one folder at a time and only those that can matter.
pub(crate) fn list(bucket: &Path, query: &Query) -> io::Result<Page> {
    let mut walk = Walk { query, skip: query.skip.clone(), page: Page::default() };
    if query.max > 0 {
        walk.folder(bucket, "")?;
    }
    Ok(walk.page)
}

struct Walk<'a> {
    query: &'a Query,
    skip: Option<String>,
    page: Page,
}

impl Walk<'_> {
    /// Lists what lies below a folder; false where the page is full.
    fn folder(&mut self, path: &Path, prefix: &str) -> io::Result<bool> {
        for (entry, name) in entries(path)? {
            let text = format!("{prefix}{}", entry.text);
            let path = path.join(name);
            let goes_on = match entry.folder {
                true if self.may_hold(&text) => self.folder(&path, &text)?,
                false if self.wants(&text) => self.object(&path, text)?,
                _ => true,
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn may_hold(&self, folder: &str) -> bool {
        let Query { prefix, after, .. } = self.query;
        let in_prefix = folder.starts_with(prefix.as_str()) || prefix.starts_with(folder);
        let past = folder < after.as_str() && !after.starts_with(folder);
        in_prefix && !past && !self.skips(folder)
    }

    fn wants(&self, key: &str) -> bool {
        key.starts_with(self.query.prefix.as_str()) && key > self.query.after.as_str() && !self.skips(key)
    }

    fn skips(&self, text: &str) -> bool {
        self.skip.as_ref().is_some_and(|skip| text.starts_with(skip.as_str()))
    }

    fn object(&mut self, path: &Path, key: String) -> io::Result<bool> {
        let object = match Object::open(path) {
            Ok(object) => object,
            // It was deleted since the folder was read, or is what a power cut has left.
            Err(error) if is_missing(&error) => return Ok(true),
            Err(error) => return Err(error),
        };
        if self.page.objects.len() + self.page.prefixes.len() >= self.query.max {
            self.page.truncated = true;
            return Ok(false);
        }
        match self.common_prefix(&key) {
            Some(common) => {
                self.skip = Some(common.clone());
                self.page.prefixes.push(common);
            }
            None => self.page.objects.push(Listed { key, len: object.len, etag: object.etag, modified: object.modified }),
        }
        Ok(true)
    }

    fn common_prefix(&self, key: &str) -> Option<String> {
        let delimiter = self.query.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())?;
        let from = self.query.prefix.len();
        let at = key.get(from..)?.find(delimiter)?;
        Some(key.get(..from + at + delimiter.len())?.into())
    }
}

/// The entries of a folder in the order of their keys.
pub(crate) fn entries(path: &Path) -> io::Result<Vec<(Entry, String)>> {
    let mut entries = Vec::new();
    let folder = match fs::read_dir(path) {
        Ok(folder) => folder,
        Err(error) if is_missing(&error) => return Ok(entries),
        Err(error) => return Err(error),
    };
    for entry in folder {
        let name = entry?.file_name().into_string();
        entries.extend(name.ok().and_then(|name| Some((parse_entry(&name)?, name))));
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        disk::{Disk, Durability, Precondition},
        object::Headers,
    };

    fn bucket_of(keys: &BTreeSet<String>) -> (tempfile::TempDir, Disk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path(), Durability::Process).unwrap();
        disk.create_bucket("b").unwrap();
        for key in keys {
            let draft = disk.draft().unwrap();
            disk.commit("b", key, disk.finish(draft, Headers::default()).unwrap(), &Precondition::None).unwrap();
        }
        (dir, disk)
    }

    /// What S3 says a listing is, without pages.
    fn expected(keys: &BTreeSet<String>, query: &Query) -> Vec<String> {
        let mut listed = Vec::new();
        for key in keys.iter().filter(|key| key.starts_with(&query.prefix) && **key > query.after) {
            let rest = &key[query.prefix.len()..];
            let common = query.delimiter.as_ref().and_then(|d| Some(&key[..query.prefix.len() + rest.find(d.as_str())? + d.len()]));
            let text = common.unwrap_or(key).to_string();
            if listed.last() != Some(&text) {
                listed.push(text);
            }
        }
        listed
    }

    fn all_pages(disk: &Disk, query: &Query) -> Vec<String> {
        let mut query = query.clone();
        let mut all = Vec::new();
        for _ in 0..1000 {
            let page = list(&disk.bucket("b").unwrap(), &query).unwrap();
            let token = page.token();
            let truncated = page.truncated;
            let mut texts: Vec<String> = page.objects.into_iter().map(|o| o.key).chain(page.prefixes).collect();
            texts.sort();
            assert!(texts.len() <= query.max);
            all.extend(texts);
            if !truncated {
                return all;
            }
            (query.after, query.skip) = start_of(&token).unwrap();
        }
        panic!("pages never end");
    }

    #[test]
    fn nonsense_is_no_token() {
        for bad in ["", "x61", "kzz", "kff", "é"] {
            assert_eq!(start_of(bad), None, "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn pages_add_up_to_what_s3_would_list(
            keys in proptest::collection::btree_set("[ab~.-]{1,2}(/[abA]{0,2}){0,3}", 0..20),
            prefix in "([ab]/?){0,2}",
            after in "([ab~]/?){0,2}",
            delimiter in prop_oneof![Just(None), Just(Some("/".to_string())), Just(Some("a".to_string()))],
            max in 1..5usize,
        ) {
            let (_dir, disk) = bucket_of(&keys);
            let query = Query { prefix, delimiter, after, skip: None, max };
            prop_assert_eq!(all_pages(&disk, &query), expected(&keys, &query));
        }
    }
}
