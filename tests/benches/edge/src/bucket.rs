//! A bucket in memory with one live session in it, which goes on when it is told to.
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tidegate_stream::{
    ConfigHash, Current, Hash, Key, Msn, PartIndex, PartRecord, Period, Record, RecordBody, RecordNumber, Rendition, RenditionId, RenditionKind,
    Session, SessionId, StreamId, Timeline, Track, TrackKind, TrackPart, WriterId, encode_record, encode_segment,
};
use tokio::{
    net::TcpListener,
    sync::Notify,
};

/// Parts of one segment of 2 s.
const PARTS: u32 = 4;

#[derive(Clone)]
pub struct Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    objects: Mutex<BTreeMap<String, Bytes>>,
    writer: Mutex<Writer>,
    changed: Notify,
    part_bytes: usize,
    /// No part is as large as the one before it.
    varies: bool,
}

struct Writer {
    timeline: Timeline,
    media: Vec<Vec<u8>>,
    start_ms: u64,
}

impl Bucket {
    /// After `records` parts of 0.5 s, the last of which is just over; each has `part_bytes` of video.
    pub fn new(records: u64, part_bytes: usize) -> Self {
        Self::of(records, part_bytes, false)
    }

    /// The same with parts of a tenth to twice as many bytes, as encoders make them.
    pub fn varied(records: u64, part_bytes: usize) -> Self {
        Self::of(records, part_bytes, true)
    }

    fn of(records: u64, part_bytes: usize, varies: bool) -> Self {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64);
        let start_ms = now_ms - records * 500;
        let rendition = |id, kind, part_target_us| Rendition { id: RenditionId::parse(id).expect("an id"), kind, part_target_us };
        let session = Session {
            stream: StreamId::parse("demo").expect("an id"),
            id: SessionId::new(start_ms, 7),
            target_duration_s: 2,
            dvr_window_s: 300,
            renditions: vec![rendition("source", RenditionKind::Video, 500_000), rendition("audio", RenditionKind::Audio, 512_000)],
        };
        let writer = Writer { timeline: Timeline::new(session), media: vec![Vec::new(); 2], start_ms };
        let inner = Inner { objects: Mutex::default(), writer: Mutex::new(writer), changed: Notify::new(), part_bytes, varies };
        let bucket = Self { inner: Arc::new(inner) };
        bucket.put_head();
        for _ in 0..records {
            bucket.next();
        }
        bucket
    }

    /// The folder of the session in viewers' addresses.
    pub fn session(&self) -> String {
        format!("/live/demo/{}", self.inner.writer.lock().expect("sound").timeline.session().id)
    }

    /// The part that the record after the next `records` holds.
    pub fn part_after(&self, records: u32) -> (u64, u32) {
        let (msn, part) = next_part(&self.inner.writer.lock().expect("sound").timeline);
        let at = part + records;
        (msn + u64::from(at / PARTS), at % PARTS)
    }

    /// Stores another object.
    pub fn put_object(&self, key: &str, text: &str) {
        self.inner.objects.lock().expect("sound").insert(key.to_owned(), text.to_owned().into());
    }

    fn put(&self, key: &Key, bytes: Vec<u8>) {
        self.inner.objects.lock().expect("sound").insert(key.to_string(), bytes.into());
    }

    fn put_head(&self) {
        let writer = self.inner.writer.lock().expect("sound");
        let session = writer.timeline.session();
        let key = Key::Head { stream: session.stream.clone(), session: session.id.clone() };
        self.put(&key, writer.timeline.snapshot().encode());
    }

    /// Writes the next record.
    pub fn next(&self) {
        let closed = self.write_record();
        if closed {
            self.put_head();
        }
        self.inner.changed.notify_waiters();
    }

    fn write_record(&self) -> bool {
        let mut writer = self.inner.writer.lock().expect("sound");
        let number = writer.timeline.next_record();
        let (msn, part) = next_part(&writer.timeline);
        let (msn, part) = (Msn(msn), PartIndex(part));
        let (stream, session) = (writer.timeline.session().stream.clone(), writer.timeline.session().id.clone());
        let video = TrackKind::Video { width: 1280, height: 720, frame_rate: None };
        let audio = TrackKind::Audio { sample_rate: 48_000, channels: 2 };
        let track = |init, codec: &str, timescale, kind| {
            Some(Track { init: ConfigHash([init; 8]), codec: codec.to_owned(), timescale, bandwidth_bps: 3_000_000, kind })
        };
        let tracks = vec![track(1, "avc1.64001f", 30_000, video), track(2, "mp4a.40.2", 48_000, audio)];
        let opens = (number.0 == 0).then_some(Period { index: 0, first_msn: msn, utc_us: writer.start_ms as i64 * 1000, start_us: 0, tracks });
        let tenths = if self.inner.varies { 1 + number.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 20 } else { 10 };
        let media = [vec![b'v'; self.inner.part_bytes * tenths as usize / 10], vec![b'a'; 8_000]];
        let tracks = vec![
            TrackPart { len: media[0].len() as u32, start: number.0 * 15_000, duration: 15_000, independent: part.0 == 0, ..TrackPart::default() },
            TrackPart { len: media[1].len() as u32, start: number.0 * 24_000, duration: 24_000, independent: true, ..TrackPart::default() },
        ];
        let utc_us = (writer.start_ms + number.0 * 500) as i64 * 1000;
        let body = RecordBody::Part(PartRecord { msn, part, utc_us, opens, events: Vec::new(), tracks });
        let previous = writer.timeline.last_hash().unwrap_or(Hash::ZERO);
        let record = Record { number, previous, writer: WriterId(1), body };
        let object = encode_record(&record, &[&media[0], &media[1]]).expect("a record");
        let (decoded, offset) = Record::decode(&object).expect("a record");
        let open = writer.timeline.last().map(|last| last.msn);
        writer.timeline.apply(&decoded, offset, Some(Record::hash(&object))).expect("the next record");
        self.put(&Key::Record { stream: stream.clone(), session: session.clone(), number }, object);
        if number == RecordNumber(0) {
            let current = serde_json::to_vec(&Current { session: session.clone() }).expect("JSON");
            self.put(&Key::Current { stream: stream.clone() }, current);
        }
        let closed = open.filter(|msn| writer.timeline.is_closed(*msn));
        if let Some(closed) = closed {
            let segment = writer.timeline.segment(closed).expect("it was open").clone();
            let bundle = encode_segment(&segment, &[&writer.media[0], &writer.media[1]]);
            self.put(&Key::Segment { stream: stream.clone(), session: session.clone(), msn: closed }, bundle);
            if let Some((index, chapter)) = writer.timeline.chapter_closed_by(closed) {
                self.put(&Key::Chapter { stream, session, index }, chapter.encode());
            }
            writer.media = vec![Vec::new(); 2];
        }
        for (track, part) in writer.media.iter_mut().zip(&media) {
            track.extend_from_slice(part);
        }
        closed.is_some()
    }

    /// Answers as a store does that can hold requests; its address.
    pub async fn serve(&self) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let bucket = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let bucket = bucket.clone();
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    let service = service_fn(move |request| {
                        let bucket = bucket.clone();
                        async move { Ok::<_, Infallible>(bucket.answer(&request).await) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(address)
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let key = request.uri().path().trim_start_matches('/').to_owned();
        let waits = request.headers().contains_key("prefer");
        let found = async {
            loop {
                let changed = self.inner.changed.notified();
                if let Some(object) = self.inner.objects.lock().expect("sound").get(&key).cloned() {
                    return Some(object);
                }
                if !waits {
                    return None;
                }
                changed.await;
            }
        };
        let object = tokio::select! {
            object = found => object,
            () = tokio::time::sleep(Duration::from_secs(20)) => None,
        };
        let response = Response::builder().header("preference-applied", "wait=20");
        let Some(object) = object else { return response.status(404).body(Full::default()).expect("a response") };
        let immutable = !(key.ends_with("/current") || key.ends_with("/head") || key.starts_with("meta/"));
        let control = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        response.header("cache-control", control).header("etag", "\"1\"").body(Full::new(object)).expect("a response")
    }
}

fn next_part(timeline: &Timeline) -> (u64, u32) {
    match timeline.last() {
        None => (0, 0),
        Some(last) if last.part.0 == PARTS - 1 => (last.msn.0 + 1, 0),
        Some(last) => (last.msn.0, last.part.0 + 1),
    }
}
