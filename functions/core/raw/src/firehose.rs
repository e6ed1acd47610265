use alloc::{format, string::String};

/// The body of `PutRecordBatch` with these rows as one record, since a record is billed by 5 kB. Names of streams there have only letters,
/// digits, `_`, `.` and `-`; others are left out.
#[must_use]
pub fn record(stream: &str, rows: &str) -> String {
    let stream: String = stream.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(*letter)).collect();
    format!(r#"{{"DeliveryStreamName":"{stream}","Records":[{{"Data":"{}"}}]}}"#, base64(rows.as_bytes()))
}

/// Whether an answer of status 200 says that the record was not taken.
#[must_use]
pub fn refuses(answer: &str) -> bool {
    let failed = answer.split_once("\"FailedPutCount\":").map(|(_, rest)| rest.trim_start());
    !failed.is_some_and(|rest| rest.starts_with('0'))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | usize::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS.get(bits >> (18 - 6 * at) & 63).filter(|_| at <= three.len());
            text.push(letter.map_or('=', |letter| char::from(*letter)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_base64() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("\u{fffd}?>", "77+9Pz4=")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn rows_are_one_record() {
        assert_eq!(record("te\"st-1", "{}\n"), r#"{"DeliveryStreamName":"test-1","Records":[{"Data":"e30K"}]}"#);
    }

    #[test]
    fn only_an_answer_that_says_that_nothing_failed_is_one() {
        assert!(!refuses(r#"{"Encrypted":true,"FailedPutCount":0,"RequestResponses":[{"RecordId":"a"}]}"#));
        assert!(!refuses(r#"{"FailedPutCount": 0}"#));
        for answer in [r#"{"FailedPutCount":1,"RequestResponses":[{"ErrorCode":"ServiceUnavailableException"}]}"#, "{}", ""] {
            assert!(refuses(answer), "{answer}");
        }
    }
}
