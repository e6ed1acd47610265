use alloc::string::String;

/// Adds parameters to a reference, in front of its fragment.
pub fn append_query(out: &mut String, reference: &str, query: &str) {
    if query.is_empty() {
        out.push_str(reference);
        return;
    }
    let bytes = reference.as_bytes();
    let (address, fragment) = reference.split_at(memchr::memchr(b'#', bytes).unwrap_or(bytes.len()));
    out.push_str(address);
    match (memchr::memchr(b'?', address.as_bytes()), address.as_bytes().last()) {
        (None, _) => out.push('?'),
        (Some(_), Some(b'?' | b'&')) => {}
        (Some(_), _) => out.push('&'),
    }
    out.push_str(query);
    out.push_str(fragment);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_go_before_the_fragment() {
        let with = |reference| {
            let mut out = String::new();
            append_query(&mut out, reference, "t=1");
            out
        };
        assert_eq!(with("a.ts"), "a.ts?t=1");
        assert_eq!(with("a.ts?"), "a.ts?t=1");
        assert_eq!(with("a.ts?x"), "a.ts?x&t=1");
        assert_eq!(with("a.ts?x&#f?"), "a.ts?x&t=1#f?");
    }
}
