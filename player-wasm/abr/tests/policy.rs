//! Situations of one session, from outside.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use tidegate_abr::{Abr, Config, Progress, Rule, Sample, State, Tables};

const LADDER: [f64; 4] = [400e3, 1.2e6, 3e6, 6e6];

fn ready(config: Config) -> Abr {
    let config = Config { ladder_bps: LADDER.to_vec(), ..config };
    let tables = Arc::new(Tables::build(&config));
    Abr::with_tables(config, tables)
}

fn transfer(bps: f64, rendition: usize) -> Sample {
    let bits = LADDER[rendition] * 2.0;
    Sample { bits, ttfb_s: 0.04, transfer_s: bits / bps, rendition, media_s: 2.0 }
}

fn playing(buffer_s: f64, last: usize) -> State<'static> {
    State { buffer_s, latency_s: Some(8.0), last: Some(last), playing: true, started: true, ..State::default() }
}

#[test]
fn nothing_known_takes_the_lowest_rung() {
    let decision = ready(Config::live()).decide(&State::default());
    assert_eq!((decision.rendition, decision.why.rule), (0, Rule::First));
}

#[test]
fn soda_decides_until_the_tables_are_ready() {
    let mut abr = Abr::new(Config { ladder_bps: LADDER.to_vec(), ..Config::vod() });
    abr.sample(transfer(20e6, 0));
    assert_eq!(abr.decide(&playing(10.0, 0)).why.rule, Rule::Soda);
    let mut slices = 0;
    while !abr.idle(1) {
        slices += 1;
        assert!(slices < 10_000, "the tables never get ready");
    }
    abr.sample(transfer(20e6, 0));
    assert_eq!(abr.decide(&playing(10.0, 0)).why.rule, Rule::Value);
}

#[test]
fn tables_built_in_slices_are_those_built_in_one_go() {
    let config = Config { ladder_bps: LADDER.to_vec(), ..Config::low_latency() };
    let mut abr = Abr::new(config.clone());
    while !abr.idle(7) {}
    assert_eq!(**abr.tables().unwrap(), Tables::build(&config));
    assert!(abr.tables().unwrap().bytes() <= 500_000);
}

#[test]
fn tables_of_another_ladder_are_not_used() {
    let tables = Arc::new(Tables::build(&Config { ladder_bps: vec![1e6, 2e6], ..Config::live() }));
    let abr = Abr::with_tables(Config { ladder_bps: LADDER.to_vec(), ..Config::live() }, tables);
    assert!(abr.tables().is_none());
}

#[test]
fn fast_steady_link_reaches_the_top_and_slow_one_stays_low() {
    for config in [Config::vod(), Config::live()] {
        let (mut fast, mut slow) = (ready(config.clone()), ready(config));
        let (mut high, mut low) = (0, 0);
        for _ in 0..20 {
            fast.sample(transfer(40e6, high));
            high = fast.decide(&playing(5.0, high)).rendition;
            slow.sample(transfer(900e3, low));
            low = slow.decide(&playing(3.0, low)).rendition;
        }
        assert_eq!((high, low), (3, 0));
    }
}

#[test]
fn decision_explains_itself() {
    let mut abr = ready(Config::live());
    for _ in 0..8 {
        abr.sample(transfer(5e6, 1));
        let _ = abr.decide(&playing(5.0, 1));
    }
    let decision = abr.decide(&playing(5.0, 1));
    let why = &decision.why;
    assert!((why.forecast_bps / 5e6 - 1.0).abs() < 0.2, "{}", why.forecast_bps);
    assert_eq!(why.alternatives.len(), LADDER.len());
    let best = why.alternatives.iter().map(|a| a.value).fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(why.alternatives[decision.rendition].value, best);
    assert!((why.regimes.iter().map(|r| r.weight).sum::<f64>() - 1.0).abs() < 1e-9);
    assert_eq!(why.alternatives[1].change, 0.0);
}

fn request(buffer_s: f64, loaded: f64) -> Progress<'static> {
    Progress {
        state: playing(buffer_s, 3),
        rendition: 3,
        chunk_elapsed_s: 1.5,
        chunk_transfer_s: None,
        segment_loaded_bits: loaded,
        chunk_loaded_bits: loaded,
        chunk_bits: 12e6,
        chunk: 0,
        buffered_chunks: 0,
        whole: false,
    }
}

#[test]
fn request_on_a_link_that_broke_down_is_given_up_and_one_on_time_is_not() {
    let mut with_tables = ready(Config::live());
    let mut without = Abr::new(Config { ladder_bps: LADDER.to_vec(), ..Config::live() });
    for abr in [&mut with_tables, &mut without] {
        for _ in 0..10 {
            abr.sample(transfer(12e6, 3));
            let _ = abr.decide(&playing(5.0, 3));
        }
        let abandon = abr.progress(&request(1.0, 300e3)).expect("a request that will stall");
        assert!(abandon.rendition < 3 && abandon.value_restart != abandon.value_running);
        assert_eq!(abr.progress(&request(5.0, 11.5e6)), None);
        assert_eq!(abr.progress(&Progress { rendition: 0, ..request(1.0, 300e3) }), None);
    }
}

#[test]
fn numbers_without_sense_never_stop_a_session() {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e-300, 1e300, 3.0];
    let mut n = 0usize;
    let mut next = || {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        odd[(n >> 33) % odd.len()]
    };
    for config in [Config::vod(), Config::live(), Config::low_latency()] {
        let mut abr = ready(config);
        for i in 0..2000usize {
            abr.sample(Sample { bits: next(), ttfb_s: next(), transfer_s: next(), rendition: i % 99, media_s: next() });
            let sizes = [next(), next(), next(), next(), next()];
            let state = State {
                buffer_s: next(),
                latency_s: Some(next()),
                rate: next(),
                last: Some(i % 7),
                playing: i % 2 == 0,
                started: i % 3 == 0,
                upcoming_bits: &sizes,
            };
            let decision = abr.decide(&state);
            assert!(decision.rendition < LADDER.len());
            assert!(decision.why.alternatives.iter().all(|a| a.value.is_finite()), "{decision:?}");
            let _ = abr.progress(&Progress {
                state,
                rendition: i % 9,
                chunk_elapsed_s: next(),
                chunk_transfer_s: Some(next()),
                segment_loaded_bits: next(),
                chunk_loaded_bits: next(),
                chunk_bits: next(),
                chunk: i % 11,
                buffered_chunks: i % 13,
                whole: false,
            });
        }
    }
    for ladder_bps in [vec![], vec![f64::NAN], vec![5e6, 1e6], vec![1e6; 200]] {
        let mut abr = Abr::new(Config { ladder_bps, segment_s: f64::NAN, chunk_s: -1.0, live: true, ..Config::vod() });
        while !abr.idle(1000) {}
        abr.sample(transfer(5e6, 0));
        assert!(abr.decide(&playing(5.0, 0)).rendition < 16);
    }
}
