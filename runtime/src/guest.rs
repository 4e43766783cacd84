//! Guest: a live instance of an image, and the calls of its contract (guest-images/CONTRACT.md).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use wasmtime::{Caller, Engine, Instance, InstancePre, Linker, Memory, Module, Store, TypedFunc};
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wasmtime_wasi::{WasiCtxBuilder, WasiView};

use crate::clock::GuestClock;
use crate::layer::{Draft, Layer, LayerError, Rest};
use crate::ledger::Ledger;
use crate::memory::{self, Start, UseImage, Window};
use crate::meter::{MemoryMeter, YIELD_FUEL};
use crate::module::STACK_POINTER;
use crate::mount::{Mount, preopen};
use crate::service::{self, Services};
use crate::stdio::{Channel, Input, Voice};
use crate::wasi::GuestWasi;
use crate::{Kind, Limits, Mode, RunError, command};

/// Largest event that a guest may send at once.
const MAX_EVENT: usize = 64 << 20;

/// What the host keeps for a guest.
pub(crate) struct State {
    pub(crate) wasi: GuestWasi,
    pub(crate) memory: MemoryMeter,
    /// Who answers its calls; `None` refuses them.
    pub(crate) services: Option<Arc<dyn Services>>,
    voice: Voice,
    fuel: u64,
}

/// Links a guest's module with everything it may import.
pub(crate) fn link(engine: &Engine, module: &Module) -> wasmtime::Result<InstancePre<State>> {
    let mut linker: Linker<State> = Linker::new(engine);
    wasi_snapshot_preview1::add_to_linker(&mut linker, |state: &mut State| &mut state.wasi)?;
    linker.allow_shadowing(true);
    // The virtual clock is driven by fuel, which only the caller knows.
    linker.func_wrap(
        "wasi_snapshot_preview1",
        "clock_time_get",
        |mut caller: Caller<'_, State>, clock: i32, precision: i64, result: i32| -> wasmtime::Result<i32> {
            let left = caller.get_fuel()?;
            let (mut memory, state) = split(&mut caller)?;
            state.wasi.fuel_seen = state.fuel.saturating_sub(left);
            wasi_snapshot_preview1::clock_time_get(&mut state.wasi, &mut memory, clock, precision, result)
        },
    )?;
    linker.func_wrap(
        "glovebox",
        "event",
        |mut caller: Caller<'_, State>, at: u32, length: u32| -> wasmtime::Result<()> {
            let (memory, state) = split(&mut caller)?;
            let wiggle::GuestMemory::Unshared(bytes) = memory else { return Ok(()) };
            let (at, length) = (at as usize, length as usize);
            let event = bytes.get(at..at.saturating_add(length)).filter(|event| event.len() <= MAX_EVENT);
            let event =
                event.ok_or_else(|| wasmtime::format_err!("an event of {length} bytes at {at} is out of bounds"))?;
            state.voice.lock().guest_event(event);
            Ok(())
        },
    )?;
    linker.func_wrap_async("glovebox", "call", |caller: Caller<'_, State>, (at, length): (u32, u32)| {
        Box::new(service::call(caller, at, length))
    })?;
    linker.instantiate_pre(module)
}

pub(crate) fn split<'a>(
    caller: &'a mut Caller<'_, State>,
) -> wasmtime::Result<(wiggle::GuestMemory<'a>, &'a mut State)> {
    let memory = caller.get_export("memory").and_then(wasmtime::Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::format_err!("the guest has no memory"))?;
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((wiggle::GuestMemory::Unshared(bytes), state))
}

/// What a new guest is given.
pub(crate) struct Setup<'a> {
    pub(crate) kind: Kind,
    pub(crate) mounts: &'a [Mount],
    pub(crate) env: Vec<(&'a str, &'a str)>,
    pub(crate) args: Vec<&'a str>,
    pub(crate) limits: &'a Limits,
    pub(crate) mode: Mode,
    pub(crate) voice: Voice,
    /// What the guest's monotonic clock shows at first.
    pub(crate) clock_ns: u64,
}

/// What one turn is given.
pub(crate) struct Surroundings<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) mode: Mode,
    /// Of the random bytes that WASI gives; `None`: the system's.
    pub(crate) random_seed: Option<u64>,
    pub(crate) stdin: &'a str,
    /// What is in the workspace and in `/tmp` already: bytes and files.
    pub(crate) present: (u64, u64),
}

/// A live instance.
pub(crate) struct Guest {
    pub(crate) store: Store<State>,
    memory: Memory,
    instance: Instance,
    entry: Entry,
    input: Input,
    fuel: u64,
}

/// What a guest is entered by.
enum Entry {
    /// The contract's `gb_alloc` and `gb_turn`.
    Turns { alloc: TypedFunc<u32, u32>, turn: TypedFunc<(u32, u32), i32> },
    /// A command's functions, called in order, once.
    Command(Vec<TypedFunc<(), ()>>),
}

/// One turn's request, as the contract has it.
#[derive(Serialize)]
pub(crate) struct Turn<'a> {
    pub(crate) source: &'a str,
    pub(crate) filename: &'a str,
    pub(crate) argv: Vec<&'a str>,
    /// Further variables; the guest reads the others from its host at its first turn.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: &'a str,
    /// True for the first turn of somebody's in an instance that was made ahead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fresh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    pub(crate) echo: crate::Echo,
}

/// What the host keeps for a guest that is given this.
fn surround(setup: Setup<'_>) -> Result<(State, Input), RunError> {
    let mut builder = WasiCtxBuilder::new();
    let input = Input::default();
    builder
        // Files are local: a call is shorter than a hop to another thread. Sleeping is ours.
        .allow_blocking_current_thread(true)
        .envs(&setup.env)
        .args(&setup.args)
        .stdin(input.clone())
        .stdout(setup.voice.stream(Channel::Stdout))
        .stderr(setup.voice.stream(Channel::Stderr));
    let dev = preopen(&mut builder, setup.mounts, "/dev")?;
    let mut wasi = builder.build_p1();
    // The ledger counts the guest's handles; this stops what it might miss. Each handle takes
    // two entries at most, and the library needs a few for itself.
    let entries = setup.limits.open_handles.saturating_mul(2).saturating_add(64);
    wasi.ctx().table.set_max_capacity(usize::try_from(entries).unwrap_or(usize::MAX));
    let ledger = Ledger::new(setup.limits, 0, 0);
    let clock = GuestClock::new(setup.mode, setup.clock_ns);
    let preopens = setup.mounts.iter().map(|mount| mount.guest.clone()).collect();
    let state = State {
        wasi: GuestWasi::new(wasi, ledger, clock, setup.mode, dev, preopens),
        memory: MemoryMeter::new(setup.limits),
        services: None,
        voice: setup.voice,
        fuel: setup.limits.fuel,
    };
    Ok((state, input))
}

impl Entry {
    fn of(kind: Kind, instance: &Instance, store: &mut Store<State>) -> wasmtime::Result<Entry> {
        if kind == Kind::Reactor {
            let alloc = instance.get_typed_func(&mut *store, "gb_alloc")?;
            return Ok(Entry::Turns { alloc, turn: instance.get_typed_func(store, "gb_turn")? });
        }
        let mut functions = Vec::new();
        if instance.get_func(&mut *store, command::INITIALIZE).is_some() {
            functions.push(instance.get_typed_func(&mut *store, command::INITIALIZE)?);
        }
        functions.push(instance.get_typed_func(store, command::START)?);
        Ok(Entry::Command(functions))
    }
}

impl Guest {
    /// Makes an instance whose memory starts as `start` says.
    pub(crate) async fn new(pre: &InstancePre<State>, start: &Start, setup: Setup<'_>) -> Result<Guest, RunError> {
        let (limits, kind) = (setup.limits, setup.kind);
        let (state, input) = surround(setup)?;
        let mut store = Store::new(pre.module().engine(), state);
        store.limiter(|state| &mut state.memory);
        let failed = "failed to start a guest";
        store.set_fuel(limits.fuel).map_err(RunError::engine(failed))?;
        store.fuel_async_yield_interval(Some(YIELD_FUEL)).map_err(RunError::engine(failed))?;
        let instance = {
            let _image = UseImage::new(start);
            pre.instantiate_async(&mut store).await.map_err(RunError::engine(failed))?
        };
        let memory = instance.get_memory(&mut store, "memory");
        let memory = memory.ok_or_else(|| RunError::Engine { action: failed, reason: "it has no memory".into() })?;
        let entry = Entry::of(kind, &instance, &mut store).map_err(RunError::engine(failed))?;
        // The limiter saw the module's declared minimum; image and layers bring more.
        let declared = usize::try_from(memory.ty(&store).minimum()).unwrap_or(0) * memory::WASM_PAGE;
        store.data_mut().memory.add(start.len().saturating_sub(declared));
        Ok(Guest { store, memory, instance, entry, input, fuel: limits.fuel })
    }

    /// Gives a guest that has run nothing of anybody's other surroundings: its old ones are gone with everything open.
    pub(crate) fn adopt(&mut self, setup: Setup<'_>) -> Result<(), RunError> {
        let (state, input) = surround(setup)?;
        let old = std::mem::replace(self.store.data_mut(), state);
        self.store.data_mut().memory = old.memory;
        self.input = input;
        Ok(())
    }

    /// Whether it has nothing open.
    pub(crate) fn is_clean(&mut self) -> bool {
        self.store.data_mut().wasi.open_files().is_empty()
    }

    /// Begins a turn: its limits, clocks, random numbers and input.
    pub(crate) fn begin(&mut self, surroundings: &Surroundings<'_>) -> Result<(), RunError> {
        let used = self.fuel_used();
        let fuel = surroundings.limits.fuel;
        self.store.set_fuel(fuel).map_err(RunError::engine("failed to begin a turn"))?;
        self.fuel = fuel;
        self.input.set(surroundings.stdin);
        let state = self.store.data_mut();
        state.fuel = fuel;
        state.memory.begin(surroundings.limits);
        let (bytes, files) = surroundings.present;
        state.wasi.ledger.begin(surroundings.limits, bytes, files);
        state.wasi.begin(surroundings.mode, surroundings.random_seed, used);
        state.voice.begin(surroundings.limits);
        Ok(())
    }

    /// Opens what a session had open. Returns the paths of those that could not be opened.
    pub(crate) async fn reopen(&mut self, rest: &Rest) -> Vec<String> {
        self.store.data_mut().wasi.reopen(&rest.files).await
    }

    /// Writes what is not as `start` has it as a layer. With `whole`, the layer lies over the image itself.
    pub(crate) fn save(
        &mut self,
        start: &Start,
        image: &str,
        turns: u64,
        path: &Path,
        whole: bool,
    ) -> Result<Layer, LayerError> {
        let used = self.fuel_used();
        let clock_ns = self.store.data_mut().wasi.clock.settle(used);
        let rest = Rest { turns, clock_ns, files: self.store.data_mut().wasi.open_files() };
        let memory = self.memory.data(&self.store);
        let (pages, zeros) = start.changes(memory, whole)?;
        let below = start.layers.last().filter(|_| !whole).map(|layer| &**layer);
        let layer = Layer::write(path, Draft { image, below, memory, pages, zeros, rest })?;
        // The layer is whole already; what is not mapped from it is looked at again next time.
        if let Err(error) = memory::settle(&self.memory, &mut self.store, &layer) {
            tracing::debug!(%error, "a saved session keeps copies of its pages");
        }
        Ok(layer)
    }

    /// Warms the interpreter up; the contract's `gb_warm`.
    pub(crate) async fn warm(&mut self) -> wasmtime::Result<i32> {
        let warm = self.instance.get_typed_func::<(), i32>(&mut self.store, "gb_warm")?;
        warm.call_async(&mut self.store, ()).await
    }

    /// Runs one turn; the contract's `gb_turn`. A command runs from its start to its end: it has its program already.
    pub(crate) async fn turn(&mut self, request: &[u8]) -> wasmtime::Result<i32> {
        let (alloc, turn) = match &self.entry {
            Entry::Turns { alloc, turn } => (alloc, turn),
            Entry::Command(functions) => {
                for function in functions {
                    function.call_async(&mut self.store, ()).await?;
                }
                return Ok(0);
            }
        };
        let length = u32::try_from(request.len())?;
        let at = alloc.call_async(&mut self.store, length).await?;
        if at == 0 {
            self.store.data_mut().memory.refused = true;
            wasmtime::bail!("the guest has no memory for a request of {length} bytes");
        }
        self.memory.write(&mut self.store, at as usize, request)?;
        turn.call_async(&mut self.store, (at, length)).await
    }

    /// Its memory, for an interruption.
    pub(crate) fn window(&self) -> Window {
        Window::new(&self.memory, &self.store)
    }

    /// The stack pointer, which is at rest between calls.
    pub(crate) fn stack_pointer(&mut self) -> Option<i32> {
        self.instance.get_global(&mut self.store, STACK_POINTER)?.get(&mut self.store).i32()
    }

    /// All of its memory.
    pub(crate) fn memory(&self) -> &[u8] {
        self.memory.data(&self.store)
    }

    pub(crate) fn fuel_used(&self) -> u64 {
        self.fuel.saturating_sub(self.store.get_fuel().unwrap_or(0))
    }
}
