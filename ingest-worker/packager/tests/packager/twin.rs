//! One of several workers, beside a log that it cannot go on with.

use tidegate_packager::{Found, Input, Output, Twin, TwinConfig, TwinInput, TwinOutput};
use tidegate_stream::{Current, Key, SessionId};

use crate::source::{T0, Video, arrivals, avc, config, configured};

/// What the bucket has: a session, and its head as it is at that time.
struct Bucket {
    session: SessionId,
    head: Box<dyn Fn(i64) -> Vec<u8>>,
}

/// Plays a source of pictures to a worker for so long; says when it first wrote, and what it said of sessions that are not its own.
fn play(bucket: &Bucket, seconds: i64) -> (Option<i64>, Vec<SessionId>) {
    let mut twin = Twin::new(TwinConfig { packager: config(1, 0), reconnect_us: 60_000_000 });
    let frames = Video::new((25, 1), 25 * seconds, 50).source();
    let mut source = configured(vec![avc()], arrivals(0, frames, 0)).into_iter().peekable();
    let (mut wrote, mut foreign, mut asked): (Option<i64>, Vec<SessionId>, Vec<Key>) = (None, Vec::new(), Vec::new());
    for step in 0..seconds * 50 {
        let now = T0 + step * 20_000;
        let mut inputs = vec![TwinInput::Source(Input::Tick)];
        inputs.extend(std::iter::from_fn(|| source.next_if(|(at, _)| *at <= now)).map(|(_, input)| TwinInput::Source(input)));
        inputs.extend(asked.drain(..).map(|key| {
            let object = |bytes| Found::Object { bytes, age_us: None };
            let found = match &key {
                Key::Current { .. } => object(serde_json::to_vec(&Current { session: bucket.session.clone() }).unwrap()),
                Key::Head { .. } => object((bucket.head)(now - T0)),
                _ => Found::Missing,
            };
            TwinInput::Read { key, found }
        }));
        for input in inputs {
            twin.handle(now, input);
            while let Some(output) = twin.poll() {
                match output {
                    TwinOutput::Read(key) => asked.push(key),
                    TwinOutput::Do(Output::Put(_)) => wrote = wrote.or(Some(now - T0)),
                    TwinOutput::Foreign(session) => foreign.push(session),
                    _ => {}
                }
            }
        }
    }
    (wrote, foreign)
}

#[test]
fn a_session_of_another_version_is_left_alone_as_long_as_somebody_writes_it() {
    let session = SessionId::new(T0 as u64 / 1000 - 60_000, 9);
    let living = Bucket { session: session.clone(), head: Box::new(|now| format!("TGS9 {}", now / 2_000_000).into_bytes()) };
    assert_eq!(play(&living, 60), (None, vec![session.clone()]));
    // Its writer is gone after 20 s.
    let over = Bucket { session: session.clone(), head: Box::new(|now| format!("TGS9 {}", now.min(20_000_000) / 2_000_000).into_bytes()) };
    let (wrote, foreign) = play(&over, 60);
    assert_eq!(foreign, [session]);
    assert!(wrote.is_some_and(|at| (30_000_000..36_000_000).contains(&at)), "{wrote:?}");
}
