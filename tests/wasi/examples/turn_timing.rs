#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures")]
//! What one viewer's playlist of another origin costs in the functions alone, natively and in a component: no host, no socket.
//!
//! `turn_timing [COMPONENT]…`: each component beside the same code of this program, in microseconds for each turn, the best of some rounds.
#[path = "../../../functions/core/rewrite/examples/playlist/mod.rs"]
mod playlist;

use std::{env, path::Path, time::Instant};

use tidegate_dispatch::{Dispatch, Host, State, Step};
use tidegate_function::{Fetched, Input, Loaded, Output, Request, Said, TURNS, Turn, World};
use tidegate_wasi::{Inside, linker};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    component::{Component, TypedFunc},
};

const ROUNDS: u32 = 30;
const CALLS: u32 = 500;
const DOCUMENT: &str =
    r#"{"base":"https://origin.example/","playlists":"origin","media_query":"tok=0123456789abcdef","rules":{"filter":{"max_height":720}}}"#;
const WORLD: World = World { now_utc_ms: 1_700_000_000_000, random: [7; 32] };

/// The functions, by turns.
trait Functions {
    /// Says a turn and reads what they want: an answer's length, or which of the two reads comes next.
    fn turn(&mut self, turn: Turn) -> Want;
}

enum Want {
    Document,
    Playlist,
    Answered(usize),
}

#[derive(Default)]
struct Native {
    state: State,
    call: Option<Dispatch>,
}

impl Functions for Native {
    fn turn(&mut self, turn: Turn) -> Want {
        match turn {
            Turn::Begin { request, .. } => self.call = Some(Dispatch::new(request, Host::Moves)),
            Turn::Go { input, world, .. } => self.call.as_mut().unwrap().handle(&mut self.state, &world, input),
            Turn::Forget { .. } => {
                self.call = None;
                return Want::Answered(0);
            }
        }
        match self.call.as_mut().unwrap().poll(&mut self.state, &WORLD) {
            Step::Do(Output::Fetch { .. }) => Want::Document,
            Step::Do(Output::Load { .. }) => Want::Playlist,
            Step::Respond(settled) => {
                assert_eq!(settled.status, 200);
                Want::Answered(settled.body.len())
            }
            _ => panic!("the functions want something else"),
        }
    }
}

struct InComponent {
    store: Store<Inside>,
    turn: TypedFunc<(Vec<u8>,), (Vec<u8>,)>,
    runtime: tokio::runtime::Runtime,
}

impl InComponent {
    /// With the settings of our host (`functions/host/src/guest/engine.rs`); `epochs` are its checks that end endless loops.
    fn new(component: &Path, epochs: bool) -> Self {
        let mut config = Config::new();
        config.wasm_component_model_async(true).epoch_interruption(epochs);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(PoolingAllocationConfig::default()));
        let engine = Engine::new(&config).unwrap();
        let component = Component::from_file(&engine, component).unwrap();
        let interface = component.get_export_index(None, TURNS).unwrap();
        let index = component.get_export_index(Some(&interface), "turn").unwrap();
        let mut store = Store::new(&engine, Inside::new("http://127.0.0.1:9"));
        store.set_epoch_deadline(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let instance = runtime.block_on(linker(&engine).instantiate_async(&mut store, &component)).unwrap();
        let turn = instance.get_typed_func(&mut store, index).unwrap();
        Self { store, turn, runtime }
    }
}

impl Functions for InComponent {
    fn turn(&mut self, turn: Turn) -> Want {
        let (said,) = self.runtime.block_on(self.turn.call_async(&mut self.store, (turn.write(),))).unwrap();
        match Said::read(&said).unwrap() {
            Said::Fetch { .. } => Want::Document,
            Said::Load { .. } => Want::Playlist,
            Said::Respond { status, body, .. } => {
                assert!(matches!(status, 200 | 204), "{status}");
                Want::Answered(body.len())
            }
            _ => panic!("the functions want something else"),
        }
    }
}

/// One request until its answer: how long that is.
fn ask(functions: &mut impl Functions, call: u32, playlist: &str) -> usize {
    let headers = vec![("cookie".to_owned(), "viewer=1".to_owned())];
    let request = Request { method: "GET".into(), path: "/origin/bench/kept/index.m3u8".into(), headers, ..Request::default() };
    let mut turn = Turn::Begin { call, world: WORLD, request };
    loop {
        let input = match functions.turn(turn) {
            Want::Answered(len) => return len,
            Want::Document => Input::Fetched(Fetched::Got { bytes: DOCUMENT.into(), etag: None, age_ms: None }),
            Want::Playlist => Input::Loaded(Loaded::Got { status: 200, headers: Vec::new(), body: playlist.into() }),
        };
        turn = Turn::Go { call, world: WORLD, input };
    }
}

fn best_us(mut call: impl FnMut(u32)) -> f64 {
    let mut best = f64::INFINITY;
    for round in 0..ROUNDS {
        let began = Instant::now();
        for number in 0..CALLS {
            call(round * CALLS + number);
        }
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    best
}

fn main() {
    let playlist = playlist::multivariant();
    let (mut functions, mut len) = (Native::default(), 0);
    let native = best_us(|call| len = ask(&mut functions, call, &playlist));
    println!("a playlist of {} bytes, kept, rewritten to {len}: natively {native:.1} us", playlist.len());
    // Behind the name of this program.
    let mut components = env::args();
    components.next();
    for component in components {
        for epochs in [true, false] {
            let mut functions = InComponent::new(Path::new(&component), epochs);
            let us = best_us(|call| assert_eq!(ask(&mut functions, call, &playlist), len));
            let nothing = best_us(|call| {
                functions.turn(Turn::Forget { call });
            });
            let how = if epochs { "" } else { ", without epochs" };
            println!("{component}{how}: {us:.1} us, {:.1} times that; a turn with nothing to do {nothing:.1} us", us / native);
        }
    }
}
