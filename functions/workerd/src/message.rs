/// Lines, a zero, bytes.
#[derive(Default)]
pub(crate) struct Message {
    lines: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn read(mut bytes: Vec<u8>) -> Self {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let body = bytes.get(end + 1..).unwrap_or_default().to_vec();
        bytes.truncate(end);
        Self { lines: String::from_utf8_lossy(&bytes).split('\n').map(str::to_owned).collect(), body }
    }

    /// A line, or an empty one.
    pub(crate) fn line(&self, index: usize) -> &str {
        self.lines.get(index).map_or("", String::as_str)
    }

    /// The lines from here on, as `name: value`.
    pub(crate) fn headers(&self, from: usize) -> Vec<(String, String)> {
        let pairs = self.lines.iter().skip(from).filter_map(|line| line.split_once(": "));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub(crate) fn write<'a>(first: &[&str], headers: impl IntoIterator<Item = (&'a str, &'a str)>, body: &[u8]) -> Vec<u8> {
        let mut lines = first.join("\n");
        for (name, value) in headers {
            lines.push('\n');
            lines.push_str(name);
            lines.push_str(": ");
            lines.push_str(value);
        }
        lines.push('\0');
        let mut bytes = lines.into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}
