use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::bucket::{session, token};

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name of the file.
    pub name: String,
    /// What is asked.
    pub request: Request,
    /// What is answered.
    pub answer: Answer,
}

/// A request without a body.
#[derive(Clone, Debug)]
pub struct Request {
    /// As `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

/// An answer; all of the golden ones are text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// Every case, by name.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    paths.sort();
    paths.iter().map(|path| Case::read(path)).collect()
}

/// In the checkout that this runs in, which need not be the one it was built in.
fn folder() -> PathBuf {
    let here = std::env::current_dir().unwrap();
    here.ancestors().map(|folder| folder.join("tests/golden/cases")).find(|cases| cases.is_dir()).expect("this runs in a checkout")
}

impl Case {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).unwrap();
        let (request, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
        let (head, body) = rest.split_once("\n\n").unwrap_or((rest, ""));
        let mut lines = request.lines();
        let (method, target) = lines.next().unwrap().split_once(' ').unwrap_or_else(|| panic!("{name} has no request line"));
        let request = Request { method: method.into(), target: full(target), headers: headers(lines) };
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.parse().ok()).unwrap_or(0);
        Self { name, request, answer: Answer { status, headers: headers(lines), body: body.to_owned() } }
    }

    /// Says what is wrong with an answer, if anything is.
    ///
    /// # Errors
    /// The first difference.
    pub fn check(&self, status: u16, header: impl Fn(&str) -> Option<String>, body: &[u8]) -> Result<(), String> {
        let Self { name, answer, .. } = self;
        if status != answer.status {
            return Err(format!("{name}: status {status}, not {}: {}", answer.status, String::from_utf8_lossy(body)));
        }
        for (known, value) in &answer.headers {
            if header(known).as_ref() != Some(value) {
                return Err(format!("{name}: {known} is {:?}, not {value}", header(known)));
            }
        }
        if body != answer.body.as_bytes() {
            return Err(format!("{name}: the body is\n{}\nand not\n{}", String::from_utf8_lossy(body), answer.body));
        }
        Ok(())
    }

    /// Writes the case with another answer.
    pub fn write(&self, answer: &Answer) {
        let path = folder().join(&self.name).with_extension("http");
        let text = fs::read_to_string(&path).unwrap();
        let request = text.split_once("\n\n").map_or_else(|| text.trim_end(), |(request, _)| request);
        let headers: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        fs::write(path, format!("{request}\n\n{}\n{headers}\n{}", answer.status, answer.body)).unwrap();
    }
}

/// `~` stands for the folder of the session, `{token}` for a token of `hidden`.
fn full(target: &str) -> String {
    let target = target.replace("{token}", &token());
    target.replacen("~", &session().to_string(), usize::from(!target.starts_with("/~")))
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.replace("{token}", &token()))).collect()
}
