use std::path::{Path, PathBuf};

/// The longest encoded name of a file or folder; 255 is the limit of common file systems, and the mark of a file needs one.
const MAX_NAME_BYTES: usize = 250;

/// Ends the name of every object's file, so that the objects `a` and `a/b` can both exist. No encoded segment contains it.
const FILE_MARK: char = '~';

/// What a directory entry stands for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Entry {
    /// The text that the entry adds to a key; that of a folder ends in `/`. Entries sorted by it yield keys in order.
    pub(crate) text: String,
    /// Whether the entry is a folder.
    pub(crate) folder: bool,
}

/// The file of an object below the folder of its bucket; `None` where a segment is too long for a file system.
pub(crate) fn object_file(bucket: &Path, key: &str) -> Option<PathBuf> {
    let mut path = bucket.to_path_buf();
    let mut segments = key.split('/').peekable();
    while let Some(segment) = segments.next() {
        let mut name = encode_segment(segment);
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
        if segments.peek().is_none() {
            name.push(FILE_MARK);
        }
        path.push(name);
    }
    Some(path)
}

/// Reads back the name of a file or folder; `None` for a name that [`object_file`] does not make.
pub(crate) fn parse_entry(name: &str) -> Option<Entry> {
    match name.strip_suffix(FILE_MARK) {
        Some(name) => Some(Entry { text: decode_segment(name)?, folder: false }),
        None => Some(Entry { text: decode_segment(name)? + "/", folder: true }),
    }
}

/// Percent-encodes what is not plain. Capitals too, for file systems that do not tell them from small letters.
fn encode_segment(segment: &str) -> String {
    // An empty name and names of dots alone mean something else to a file system.
    if segment.is_empty() {
        return "%".into();
    }
    let dots = segment.bytes().all(|b| b == b'.');
    let mut name = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        let plain = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') || (byte == b'.' && !dots);
        if plain { name.push(char::from(byte)) } else { push_percent(&mut name, byte) }
    }
    name
}

fn decode_segment(name: &str) -> Option<String> {
    if name == "%" {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    (encode_segment(&text) == name).then_some(text)
}

/// Encodes a key for a listing that asks for `encoding-type=url`.
pub(crate) fn encode_url(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/');
        if plain { out.push(char::from(byte)) } else { push_percent(&mut out, byte) }
    }
    out
}

fn push_percent(out: &mut String, byte: u8) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    out.push('%');
    out.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_of_the_platform_stay_readable() {
        let file = object_file(Path::new("b"), "live/demo/1m330ymg00/log/0000000012").unwrap();
        assert_eq!(file, Path::new("b/live/demo/1m330ymg00/log/0000000012~"));
    }

    #[test]
    fn tricks_stay_below_the_bucket() {
        for (key, path) in
            [("..", "b/%2e%2e~"), ("a/../../b", "b/a/%2e%2e/%2e%2e/b~"), ("/etc", "b/%/etc~"), ("a//", "b/a/%/%~"), ("A\0", "b/%41%00~")]
        {
            assert_eq!(object_file(Path::new("b"), key).as_deref(), Some(Path::new(path)), "{key:?}");
        }
        assert_eq!(object_file(Path::new("b"), &"x".repeat(251)), None);
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_path(key in "\\PC{1,20}|[a-z./%~]{1,30}") {
            let path = object_file(Path::new(""), &key).unwrap();
            let mut text = String::new();
            for component in path.components() {
                let Component::Normal(name) = component else { panic!("{path:?}") };
                text += &parse_entry(name.to_str().unwrap()).unwrap().text;
            }
            prop_assert_eq!(text, key);
        }

        #[test]
        fn entries_sort_as_their_keys_do(keys in proptest::collection::btree_set("[ab~.-]/?[ab0]/?", 2..8)) {
            // One level of a folder: what stands before the first slash, with the slash where there is one.
            let level = |key: &String| match key.find('/') { Some(at) => key[..=at].to_string(), None => key.clone() };
            let mut in_order: Vec<String> = keys.iter().map(level).collect();
            in_order.dedup();
            let sorted: std::collections::BTreeSet<String> = in_order.iter().cloned().collect();
            prop_assert_eq!(in_order, sorted.into_iter().collect::<Vec<_>>());
        }
    }
}
