//! The native decider and the WASM module that viewers run give the same answers, message for message.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test that starts node")]

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use tidegate_abr::{Progress, Sample, State};
use tidegate_sim::{
    content::Content,
    lines::{Answer, At, Decide, Decider, Init, Message, Running, Transfer},
    policy::Policy,
    session::{Scene, play},
    setting::{SETTINGS, Setting},
    synthetic,
};

/// Plays with the native decider and writes down what it was told and what it said.
struct Recorder {
    decider: Decider,
    rungs: usize,
    samples: Vec<Transfer>,
    asked: Vec<String>,
    answered: Vec<Answer>,
}

impl Recorder {
    fn new(setting: &Setting, ladder_bps: &[f64]) -> Self {
        let mut recorder =
            Self { decider: Decider::default(), rungs: ladder_bps.len(), samples: Vec::new(), asked: Vec::new(), answered: Vec::new() };
        recorder.ask(Message::Init(Init {
            ladder_kbps: ladder_bps.iter().map(|r| r / 1000.0).collect(),
            seg_s: 2.0,
            chunk_s: Some(setting.chunk_s),
            live: setting.live(),
            transport: Some(if setting.chunk_s < 2.0 { "parts" } else { "segments" }.to_owned()),
            target_latency_s: Some(setting.target_s),
            max_buffer_s: Some(setting.max_buffer_s),
            rate_min: Some(setting.catch_up.min),
            rate_max: Some(setting.catch_up.max),
            rtt_ms: Some(40.0),
        }));
        recorder
    }

    fn ask(&mut self, message: Message) -> Answer {
        let line = serde_json::to_string(&message).unwrap();
        let answer: Answer = serde_json::from_str(&self.decider.line(&line).unwrap()).unwrap();
        self.asked.push(line);
        self.answered.push(answer.clone());
        answer
    }
}

fn at(state: &State<'_>) -> At {
    At {
        buffer_s: state.buffer_s,
        latency_s: state.latency_s,
        rate: Some(state.rate),
        last_q: state.last.map(|q| q as i64),
        playing: state.playing,
        started: state.started,
    }
}

impl Policy for Recorder {
    fn sample(&mut self, s: Sample) {
        self.samples.push(Transfer { bits: s.bits, ttfb_s: s.ttfb_s, dl_s: s.transfer_s, q: s.rendition, dur_s: s.media_s });
    }

    fn decide(&mut self, state: &State<'_>) -> usize {
        let rows: Vec<Vec<f64>> = state.upcoming_bits.chunks(self.rungs).map(<[f64]>::to_vec).collect();
        let samples = std::mem::take(&mut self.samples);
        let next_bits = (!rows.is_empty()).then_some(rows);
        self.ask(Message::Decide(Decide { at: at(state), samples, next_bits })).q.unwrap()
    }

    fn progress(&mut self, p: &Progress<'_>) -> Option<usize> {
        let running = Running {
            at: at(&p.state),
            q: p.rendition,
            chunk_elapsed_s: p.chunk_elapsed_s,
            seg_loaded_bits: p.segment_loaded_bits,
            chunk_loaded_bits: p.chunk_loaded_bits,
            chunk_bits: Some(p.chunk_bits),
            chunk: p.chunk,
            buffered_chunks: p.buffered_chunks,
        };
        self.ask(Message::Progress(running)).q
    }
}

#[test]
fn wasm_in_node_answers_like_the_native_decider() {
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for setting in &SETTINGS {
        for recording in synthetic::links(2).unwrap() {
            let mut recorder = Recorder::new(setting, recording.ladder_bps);
            let content = Content::new(recording.ladder_bps, recording.seed());
            play(Scene { setting, content: &content, link: &recording.link, offset_s: 0.0 }, &mut recorder);
            asked.append(&mut recorder.asked);
            answered.append(&mut recorder.answered);
        }
    }
    assert!(answered.iter().filter(|a| a.q.is_some() && a.abandon.is_none()).count() > 4000, "too few decisions to compare");
    assert!(answered.iter().filter(|a| a.abandon.is_some()).count() > 100, "too few requests given up to compare");

    let from_wasm = node(&asked);
    assert_eq!(from_wasm.len(), answered.len());
    for (i, (wasm, native)) in from_wasm.iter().zip(&answered).enumerate() {
        assert_eq!(wasm, native, "answer {i} to {}", asked[i]);
    }
}

#[test]
fn message_without_sense_is_answered_and_the_session_goes_on() {
    let mut decider = Decider::default();
    assert!(decider.line("{").unwrap().contains("error"));
    assert_eq!(decider.line(r#"{"type":"decide"}"#).unwrap(), r#"{"q":0}"#);
    assert_eq!(decider.line(r#"{"type":"weather"}"#).unwrap(), "{}");
    assert_eq!(decider.line(r#"{"type":"init","ladder_kbps":[]}"#).unwrap(), r#"{"ok":true,"progress":true}"#);
    assert_eq!(decider.line(r#"{"type":"decide","buffer_s":-1e300,"samples":[{"bits":-1,"dl_s":-1}]}"#).unwrap(), r#"{"q":0}"#);
    assert_eq!(decider.line(r#"{"type":"end"}"#), None);
}

/// Runs `player-wasm/abr.mjs` over the lines; it builds the module where that is missing.
fn node(asked: &[String]) -> Vec<Answer> {
    let root = tidegate_sim::corpus::checkout();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let mut child = Command::new("node")
        .arg(root.join("player-wasm/abr.mjs"))
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node has to be installed");
    let mut stdin = child.stdin.take().unwrap();
    let text = asked.join("\n") + "\n{\"type\":\"end\"}\n";
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
