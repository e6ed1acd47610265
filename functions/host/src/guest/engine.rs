use std::{sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    component::{Component, InstancePre, Linker, ResourceType, types::ComponentItem},
};
use wasmtime_wasi::{
    WasiView as _,
    cli::{WasiCli, WasiCliView as _},
    p2::bindings::{cli, random},
    random::WasiRandom,
};

use super::instance::Inside;
use crate::Limits;

/// How often a running instance has to look up from its work.
const TICK: Duration = Duration::from_millis(10);
/// The same while no call is under way: the first ticks of a call may be late by this, and an idle host is idle.
const REST: Duration = Duration::from_millis(100);
/// Core modules and tables for each component instance: the component and its shims.
const PER_INSTANCE: u32 = 16;
/// Stacks for each: it has one turn at a time. Each is a call of the kernel when the engine is made, for the page that guards it.
const STACKS_PER_INSTANCE: u32 = 2;
/// What of an instance's memory stays mapped when its slot is used again.
const KEEP_RESIDENT: usize = 1 << 20;

pub(super) fn new_engine(limits: &Limits) -> wasmtime::Result<Engine> {
    // The kernel can say which pages were written (6.7 and later): resetting a slot then costs no large memset.
    Engine::new(&config(limits, Enabled::Yes)).or_else(|_| Engine::new(&config(limits, Enabled::No)))
}

fn config(limits: &Limits, pagemap_scan: Enabled) -> Config {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(limits.instances)
        .total_core_instances(limits.instances.saturating_mul(PER_INSTANCE))
        .total_memories(limits.instances.saturating_mul(2))
        .total_tables(limits.instances.saturating_mul(PER_INSTANCE))
        .total_stacks(limits.instances.saturating_mul(STACKS_PER_INSTANCE))
        .max_memory_size(limits.guest_memory)
        .pagemap_scan(pagemap_scan);
    // Without the scan, keeping pages costs a memset for each instance, which is dearer than mapping them anew.
    if matches!(pagemap_scan, Enabled::Yes) {
        pool.linear_memory_keep_resident(KEEP_RESIDENT);
    }
    let mut config = Config::new();
    config.wasm_component_model_async(true).epoch_interruption(true).allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// What Rust's standard library needs, bound; no interface here reaches files or sockets. What the component imports beside it is for other
/// hosts, where it reads and sleeps itself: nothing that is done by turns calls it.
pub(super) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<InstancePre<Inside>> {
    let mut linker = Linker::<Inside>::new(engine);
    let to = &mut linker;
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(to)?;
    cli::environment::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::exit::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(to, Inside::cli)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(to, |instance| instance.ctx().ctx.random())?;
    leave_out(to, component)?;
    linker.instantiate_pre(component)
}

/// Binds the interfaces of WASI 0.3, each function of them to a trap.
fn leave_out(linker: &mut Linker<Inside>, component: &Component) -> wasmtime::Result<()> {
    let engine = component.engine();
    for (name, item) in component.component_type().imports(engine).filter(|(name, _)| name.contains("@0.3.")) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        let mut instance = linker.instance(name)?;
        for (name, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(function) if function.async_() => {
                    instance.func_new_concurrent(name, |_, _, _, _| Box::pin(async { Err(left_out()) }))?;
                }
                ComponentItem::ComponentFunc(_) => instance.func_new(name, |_, _, _, _| Err(left_out()))?,
                ComponentItem::Resource(_) => instance.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn left_out() -> wasmtime::Error {
    wasmtime::Error::msg("functions that are driven by turns do nothing themselves")
}

/// Moves the engine's epoch from a thread of its own, slowly while none of the `most` permits is taken.
///
/// The thread ends with the engine, and that with its last store: a store without ticks could never be taken from a busy loop.
pub(super) fn tick(engine: &Engine, permits: Arc<Semaphore>, most: usize) {
    let engine = engine.weak();
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(if permits.available_permits() < most { TICK } else { REST });
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    });
}
