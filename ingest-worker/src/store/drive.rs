use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use tidegate_function::{Answer, Condition as Asked, Fetched, Input, Job, Loaded, Output, Stored, World};
use tidegate_stream::Key;

use super::bucket::{Bucket, Condition, Etag, PutError};

/// What a function asks for before it answers; functions stop at fewer.
const STEPS: usize = 1024;

/// Runs a function here, beside the bucket, until it has an answer: for command lines and tests, which need no edge for that. `random`
/// gives bytes that nobody can guess.
pub async fn drive<J: Job>(
    bucket: &impl Bucket,
    mut job: J,
    state: &mut J::State,
    random: impl Fn() -> io::Result<[u8; 32]>,
) -> io::Result<Answer> {
    let world = || io::Result::Ok(World { now_utc_ms: now_utc_ms(), random: random()? });
    for _ in 0..STEPS {
        let input = match job.poll(state, &world()?) {
            Output::Answer(answer) => return Ok(answer),
            Output::Fetch { key, range, .. } => Input::Fetched(fetch(bucket, &key, range).await),
            Output::Store { key, body, condition, .. } => Input::Stored(store(bucket, &key, body, condition).await),
            Output::Delete { key } => Input::Stored(match Key::parse(&key) {
                Some(key) => bucket.delete(&[key]).await.map_or(Stored::Failed, |()| Stored::Done { etag: None }),
                None => Stored::Failed,
            }),
            // What is not ours is read at the edge, which knows what may be reached.
            Output::Load { .. } => Input::Loaded(Loaded::Denied),
        };
        job.handle(state, &world()?, input);
    }
    Err(io::Error::other("the function does not come to an end"))
}

async fn fetch(bucket: &impl Bucket, key: &str, range: Option<(u64, u64)>) -> Fetched {
    let Some(key) = Key::parse(key) else { return Fetched::Missing };
    match bucket.get(&key).await {
        Ok(Some(object)) => {
            let len = object.bytes.len();
            let within = |at: u64| usize::try_from(at).map_or(len, |at| at.min(len));
            let (first, end) = range.map_or((0, len), |(first, last)| (within(first), within(last.saturating_add(1))));
            let bytes = object.bytes.get(first..end).unwrap_or_default().to_vec();
            Fetched::Got { bytes, etag: Some(object.etag.0), age_ms: None }
        }
        Ok(None) => Fetched::Missing,
        Err(_) => Fetched::Failed,
    }
}

async fn store(bucket: &impl Bucket, key: &str, body: Vec<u8>, condition: Asked) -> Stored {
    let Some(key) = Key::parse(key) else { return Stored::Failed };
    let condition = match condition {
        Asked::None => Condition::Any,
        Asked::Absent => Condition::Absent,
        Asked::Match(etag) => Condition::Match(Etag(etag)),
    };
    match bucket.put(&key, body.into(), condition).await {
        Ok(Etag(etag)) => Stored::Done { etag: Some(etag) },
        Err(PutError::Exists | PutError::Changed) => Stored::Conflict,
        Err(PutError::Unavailable(_) | PutError::Refused(_)) => Stored::Failed,
    }
}

fn now_utc_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
