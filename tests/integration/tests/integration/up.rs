//! The real `tidegate up`, as a person starts it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tidegate_integration::{http::Client, platform::target};

const BINARY_MISSING: &str = "the command line is not built: run infra/build";

fn tidegate(data: &Path, arguments: &[&str]) -> Command {
    let binary: PathBuf = target().join("debug/tidegate");
    assert!(binary.is_file(), "{BINARY_MISSING}");
    let mut command = Command::new(binary);
    // A group of its own, as a shell starts it.
    command.process_group(0);
    command.arg("up").arg("--data").arg(data).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

const FREE: [&str; 6] = ["--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--store-listen", "127.0.0.1:0"];

/// A started platform with the lines of its summary; killed when it is dropped.
struct Up {
    child: Child,
    summary: Vec<String>,
}

impl Up {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut summary = Vec::new();
        for line in lines.by_ref() {
            let line = line.unwrap();
            let last = line.contains("Ctrl-C");
            summary.push(line);
            if last {
                break;
            }
        }
        // Whoever writes into a closed pipe fails: the rest is read and forgotten.
        std::thread::spawn(move || lines.for_each(drop));
        let mut up = Self { child, summary };
        if !up.summary.last().is_some_and(|line| line.contains("Ctrl-C")) {
            panic!("no summary: {}", up.complaints());
        }
        up
    }

    fn line(&self, name: &str) -> String {
        let found = self.summary.iter().find_map(|line| line.trim().strip_prefix(name));
        found.and_then(|rest| rest.split_whitespace().next()).unwrap_or_else(|| panic!("no {name} in {:?}", self.summary)).to_owned()
    }

    fn get(&self, address: &str) -> (u16, String) {
        let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let answer = Client::new(host.parse().unwrap()).get(&format!("/{path}")).unwrap();
        (answer.status, answer.text())
    }

    fn until(&self, address: &str, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let (status, text) = self.get(address);
            if status == 200 && wanted(&text) {
                return text;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{address}: {what} did not come: {status} {text}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Sends a signal to the whole group, as a terminal does.
    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, "--", &format!("-{}", self.child.id())]).status().unwrap();
        assert!(status.success());
    }

    fn ended(&mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), self.complaints());
            }
            assert!(begun.elapsed() < Duration::from_secs(40), "it goes on running");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn complaints(&mut self) -> String {
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The processes that a process has started and that still run.
fn children(parent: u32) -> Vec<String> {
    let stats = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)) == Some(parent.to_string().as_str())).collect()
}

#[test]
fn ctrl_c_ends_the_stream_and_leaves_nothing_running() {
    let data = tempfile::tempdir().unwrap();
    let mut up = Up::start(tidegate(data.path(), &FREE));
    let playlist = up.line("Playlist");
    let text = up.until(&playlist, "the stream", |text| text.contains("#EXT-X-STREAM-INF"));
    let media = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap().to_owned();
    up.until(&format!("{}/{media}", playlist.rsplit_once('/').unwrap().0), "parts", |text| text.contains("#EXT-X-PART:"));
    let (status, page) = up.get(&up.line("Watch"));
    assert!(status == 200 && page.contains("tidegate-player"), "{status} {page}");
    let pid = up.child.id();
    assert!(!children(pid).is_empty(), "the demo runs in a process of its own");

    up.signal("-INT");
    let (code, complaints) = up.ended();
    assert_eq!(code, Some(0), "{complaints}");
    assert!(!complaints.contains("has failed"), "encoders finish: {complaints}");
    assert!(children(pid).is_empty(), "{:?}", children(pid));
    // What it has left on the disk is a recording that the bucket alone plays.
    let again = Up::start(tidegate(data.path(), &[&FREE[..], &["--no-demo"]].concat()));
    let bucket = again.line("Bucket").replace("/live/studio/", "/live/demo/");
    let text = again.until(&bucket, "the recording", |text| text.contains("#EXT-X-STREAM-INF"));
    let media = text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap();
    let (status, text) = again.get(&format!("{}/{media}", bucket.rsplit_once('/').unwrap().0));
    assert!(status == 200 && text.contains("#EXT-X-ENDLIST"), "{status} {text}");
}

#[test]
fn it_stops_by_itself_after_the_time_that_was_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let arguments = [&FREE[..], &["--for", "2", "--no-demo"]].concat();
    let mut up = Up::start(tidegate(data.path(), &arguments));
    assert!(up.summary.iter().any(|line| line.contains("rtmp://127.0.0.1:")), "{:?}", up.summary);
    let (code, complaints) = up.ended();
    assert_eq!(code, Some(0), "{complaints}");
}

#[test]
fn the_stream_key_stays_the_same_from_run_to_run() {
    let data = tempfile::tempdir().unwrap();
    let arguments = [&FREE[..], &["--for", "1", "--no-demo"]].concat();
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let mut up = Up::start(tidegate(data.path(), &arguments));
            let key = up.line("Stream key");
            up.ended();
            key
        })
        .collect();
    assert_eq!(keys[0], keys[1]);
    assert!(keys[0].len() >= 32);
}

/// Arguments, environment, and what the sentence has to name.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn what_is_missing_is_said_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let port = taken.local_addr().unwrap().port().to_string();
    let free = "127.0.0.1:0";
    let cases: &[Case<'_>] = &[
        (&["--listen", &address, "--rtmp", free, "--store-listen", free], &[], &[&port, "--listen"]),
        (&["--listen", free, "--rtmp", &address, "--store-listen", free], &[], &[&port, "--rtmp"]),
        (&["--listen", free, "--rtmp", free, "--store-listen", &address], &[], &[&port, "--store-listen"]),
        (&FREE, &[("TIDEGATE_FFMPEG", "/nowhere/ffmpeg")], &["ffmpeg", "infra/tools"]),
        (&FREE, &[("TIDEGATE_WEB", "/nowhere")], &["functions.wasm", "infra/build"]),
        (&[&FREE[..], &["--store", "films"]].concat(), &[], &["embedded, minio, or s3://NAME"]),
        (&[&FREE[..], &["--source", "/nowhere/film.mp4"]].concat(), &[], &["/nowhere/film.mp4"]),
        (
            &[&FREE[..], &["--store", "s3://films"]].concat(),
            &[
                ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
                ("AWS_ACCESS_KEY_ID", "a"),
                ("AWS_SECRET_ACCESS_KEY", "b"),
                ("AWS_REGION", "us-east-1"),
            ],
            &["127.0.0.1:9"],
        ),
    ];
    for (arguments, environment, words) in cases {
        let data = tempfile::tempdir().unwrap();
        let output = tidegate(data.path(), arguments).envs(environment.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?} went well");
        for word in *words {
            assert!(said.contains(word), "{arguments:?} {environment:?}: `{word}` is not in: {said}");
        }
        assert!(!said.contains("panicked") && said.len() < 600, "{said}");
    }
}
