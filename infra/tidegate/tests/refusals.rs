#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test, which runs the program")]
//! A bucket that cannot be used is one sentence that says what to do, and nothing is changed in it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

/// An S3 that refuses everything with this error, and remembers the methods that it was asked with.
fn refusing(status: u16, code: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let methods = Arc::clone(&seen);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut reader = BufReader::new(socket.unwrap());
            let (mut head, mut length) = (Vec::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(("content-length", value)) = line.to_ascii_lowercase().split_once(':').map(|(name, value)| (name, value.trim()))
                {
                    length = value.parse().unwrap_or(0);
                }
                head.push(line);
            }
            let mut body = vec![0; length];
            let _ = reader.read_exact(&mut body);
            let method = head.first().and_then(|line| line.split(' ').next()).unwrap_or_default().to_owned();
            methods.lock().unwrap().push(method);
            let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
            let head = format!("HTTP/1.1 {status} No\r\ncontent-type: application/xml\r\nconnection: close\r\n");
            let _ = write!(reader.get_mut(), "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    (address, seen)
}

/// What the command line says of a bucket, with no more in its environment than this.
fn said(variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(["stream", "create", "demo", "--store", "s3://live"]).env_clear().env("HOME", home.path());
    // No instance on which this runs lends its keys.
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

#[test]
fn what_is_missing_in_the_environment_is_named() {
    let keys = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    assert!(said(&[("AWS_REGION", "eu-west-1")]).contains("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
    assert!(said(&keys).contains("no region for AWS S3: set AWS_REGION"));
}

#[test]
fn a_store_that_refuses_says_why_and_nothing_is_written() {
    for (status, code, sentence) in [
        (403, "InvalidAccessKeyId", "does not know the access key: check AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "does not accept the secret key: check AWS_SECRET_ACCESS_KEY"),
        (400, "AuthorizationHeaderMalformed", "the bucket `live` is in another region: set AWS_REGION to it"),
        (301, "PermanentRedirect", "the bucket `live` is in another region: set AWS_REGION to it"),
        (403, "AccessDenied", "if it is somebody else's, name another"),
        (404, "NoSuchBucket", "there is no bucket `live`"),
    ] {
        let (address, seen) = refusing(status, code);
        let said = said(&[
            ("AWS_ENDPOINT_URL", &address),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
        ]);
        assert!(said.starts_with("tidegate: ") && said.contains(sentence), "{code}: {said}");
        let seen = seen.lock().unwrap();
        assert!(!seen.is_empty() && seen.iter().all(|method| method == "GET" || method == "HEAD"), "{code}: {seen:?}");
    }
}
