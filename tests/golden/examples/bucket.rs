#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a tool: it writes files")]
//! Writes the golden bucket and cases where programs in other languages can read them: `cargo run -p tidegate-golden --example bucket -- DIR`.

use std::{env, fs, path::PathBuf};

use tidegate_golden::{cases, golden_bucket};

fn main() {
    let folder = PathBuf::from(env::args().nth(1).expect("a folder"));
    for (key, bytes) in golden_bucket() {
        let path = folder.join("bucket").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let pairs = |headers: &[(String, String)]| serde_json::Value::from_iter(headers.iter().cloned());
    let cases = cases().into_iter().map(|case| {
        let (request, answer) = (&case.request, &case.answer);
        serde_json::json!({
            "name": case.name, "method": request.method, "target": request.target, "headers": pairs(&request.headers),
            "answer": { "status": answer.status, "headers": pairs(&answer.headers), "body": answer.body },
        })
    });
    fs::write(folder.join("cases.json"), serde_json::Value::from_iter(cases).to_string()).unwrap();
}
