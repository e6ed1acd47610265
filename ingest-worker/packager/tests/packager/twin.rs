//! One of several workers, beside a log that it cannot go on with.

use tidegate_packager::{Config, Found, Input, Output, Twin, TwinConfig, TwinInput, TwinOutput};
use tidegate_stream::{Current, Key, Record, RecordBody, SessionId, WriterId};

use crate::{
    bucket::run,
    source::{T0, Video, aac, arrivals, audio, avc, config, configured, together},
};

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

/// A worker that has received sound for 4 s before its first key frame, since it came into a GOP, and of which nothing is in the log.
#[test]
fn who_goes_on_with_another_source_shows_its_pictures_however_long_its_sound_came_before() {
    let theirs = together(vec![arrivals(0, Video::new((25, 1), 150, 50).source(), 0), arrivals(1, audio(48_000, 280, 0), 0)]);
    let mut objects = run(config(1, 1), configured(vec![avc(), aac(48_000)], theirs)).objects;
    let writer = WriterId(9);
    let mut twin = Twin::new(TwinConfig { packager: Config { writer, ..config(1, 1) }, reconnect_us: 60_000_000 });
    let mut frames = Video { start_ms: 5000, ..Video::new((25, 1), 500, 125) }.source().split_off(25);
    frames.iter_mut().for_each(|frame| frame.data.push(1));
    let ours = together(vec![arrivals(0, frames, 0), arrivals(1, audio(48_000, 800, 6000), 0)]);
    let mut source = configured(vec![avc(), aac(48_000)], ours).into_iter().peekable();
    let (mut told, mut pictures) = (Vec::new(), Vec::new());
    for step in 0..850 {
        let now = T0 + 6_000_000 + step * 20_000;
        let mut inputs = vec![TwinInput::Source(Input::Tick)];
        inputs.extend(std::iter::from_fn(|| source.next_if(|(at, _)| *at <= now)).map(|(_, input)| TwinInput::Source(input)));
        inputs.append(&mut told);
        for input in inputs {
            twin.handle(now, input);
            while let Some(output) = twin.poll() {
                match output {
                    TwinOutput::Read(key) => {
                        let found = |bytes: &Vec<u8>| Found::Object { bytes: bytes.clone(), age_us: None };
                        told.push(TwinInput::Read { found: objects.get(&key).map_or(Found::Missing, found), key });
                    }
                    TwinOutput::Do(Output::Put(put)) => {
                        if let Ok((Record { number, body: RecordBody::Part(part), .. }, _)) = Record::decode(&put.bytes) {
                            pictures.extend(part.tracks.first().map(|track| track.len > 0));
                            told.push(TwinInput::Durable(number));
                        }
                        objects.insert(put.key, put.bytes);
                    }
                    _ => {}
                }
            }
        }
    }
    assert!(pictures.len() >= 20 && pictures.iter().all(|shown| *shown), "{pictures:?}");
}
