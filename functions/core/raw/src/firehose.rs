use alloc::{format, string::String};

use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Headers of `PutRecordBatch`, beside the signature.
pub const RECORD_HEADERS: [(&str, &str); 2] =
    [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", "Firehose_20150804.PutRecordBatch")];

/// The body of `PutRecordBatch` with these rows as one record, since a record is billed by 5 kB. Names of streams there have only letters,
/// digits, `_`, `.` and `-`; others are left out.
#[must_use]
pub fn record(stream: &str, rows: &str) -> String {
    let stream: String = stream.chars().filter(|letter| letter.is_ascii_alphanumeric() || "_.-".contains(*letter)).collect();
    format!(r#"{{"DeliveryStreamName":"{stream}","Records":[{{"Data":"{}"}}]}}"#, BASE64_STANDARD.encode(rows))
}

/// Whether an answer of status 200 says that the record was not taken.
#[must_use]
pub fn refuses(answer: &str) -> bool {
    let failed = answer.split_once("\"FailedPutCount\":").map(|(_, rest)| rest.trim_start());
    !failed.is_some_and(|rest| rest.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
