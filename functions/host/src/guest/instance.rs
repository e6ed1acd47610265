use std::time::Duration;

use tokio::time::timeout;
use wasmtime::{
    Engine, Store, StoreLimits, StoreLimitsBuilder,
    component::{Component, ComponentExportIndex, InstancePre, ResourceTable, TypedFunc},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::engine::link;
use crate::{Config, wire::TURN};

/// Tables, as Rust's function pointers need them.
const TABLE_ELEMENTS: usize = 20_000;

/// What lives in the store of one instance.
pub(super) struct Inside {
    table: ResourceTable,
    wasi: WasiCtx,
    limits: StoreLimits,
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Makes instances.
#[derive(Clone)]
pub(super) struct Maker {
    engine: Engine,
    pre: InstancePre<Inside>,
    turn: ComponentExportIndex,
    environment: Vec<(String, String)>,
    memory: usize,
}

impl Maker {
    pub(super) fn new(engine: &Engine, component: &Component, config: &Config) -> wasmtime::Result<Self> {
        let interface = component.get_export_index(None, tidegate_function::TURNS);
        let turn = interface.and_then(|interface| component.get_export_index(Some(&interface), TURN));
        let turn = turn.ok_or_else(|| wasmtime::Error::msg("the component takes no turns"))?;
        let pre = link(engine, component)?;
        Ok(Self { engine: engine.clone(), pre, turn, environment: config.environment.clone(), memory: config.limits.guest_memory })
    }

    pub(super) async fn make(&self) -> wasmtime::Result<Instance> {
        // A panic says why on stderr, and only there.
        let wasi = WasiCtxBuilder::new().envs(&self.environment).inherit_stderr().build();
        let limits = StoreLimitsBuilder::new().memory_size(self.memory).table_elements(TABLE_ELEMENTS).build();
        let mut store = Store::new(&self.engine, Inside { table: ResourceTable::new(), wasi, limits });
        store.limiter(|inside| &mut inside.limits);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.pre.instantiate_async(&mut store).await?;
        let turn = instance.get_typed_func(&mut store, self.turn)?;
        Ok(Instance { store, turn, in_turn: false })
    }
}

/// The component with a memory of its own.
pub(super) struct Instance {
    store: Store<Inside>,
    turn: TypedFunc<(Vec<u8>,), (Vec<u8>,)>,
    /// A turn has begun and not ended: what is in the memory then is nothing to go on with.
    in_turn: bool,
}

/// Why an instance is lost, and with it what others have in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TurnError {
    Trapped,
    Late,
}

impl Instance {
    /// Runs one turn, for no longer than `time`. A turn that does not end takes the instance with it.
    pub(super) async fn turn(&mut self, message: Vec<u8>, time: Duration) -> Result<Vec<u8>, TurnError> {
        if self.in_turn {
            return Err(TurnError::Trapped);
        }
        self.in_turn = true;
        match timeout(time, self.turn.call_async(&mut self.store, (message,))).await {
            Ok(Ok((said,))) => {
                self.in_turn = false;
                Ok(said)
            }
            Ok(Err(error)) => {
                tracing::warn!(error = format!("{error:#}"), "an instance of the functions is gone");
                Err(TurnError::Trapped)
            }
            Err(_) => Err(TurnError::Late),
        }
    }

    pub(super) fn is_lost(&self) -> bool {
        self.in_turn
    }
}
