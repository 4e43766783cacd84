//! Guest: a live instance of an image, and the calls of its contract (guest-images/CONTRACT.md).

use std::sync::Arc;

use rand::SeedableRng;
use serde::Serialize;
use wasmtime::{Caller, Engine, Instance, InstancePre, Linker, Memory, Module, Store, TypedFunc};
use wasmtime_wasi::p1::wasi_snapshot_preview1;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtxBuilder, WasiView};

use crate::artifact::Before;
use crate::ledger::Ledger;
use crate::memory::{MemoryImage, UseImage};
use crate::meter::{MemoryMeter, YIELD_FUEL};
use crate::module::STACK_POINTER;
use crate::mount::{Mount, preopen};
use crate::stdio::{Channel, Voice};
use crate::wasi::GuestWasi;
use crate::{Limits, Mode, RunError};

/// Largest event that a guest may send at once.
const MAX_EVENT: usize = 64 << 20;

/// What the host keeps for a guest.
pub(crate) struct State {
    pub(crate) wasi: GuestWasi,
    pub(crate) memory: MemoryMeter,
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
    // No host service is granted yet: the contract's "refused".
    linker.func_wrap("glovebox", "call", |_at: u32, _length: u32| -> i64 { -1 })?;
    linker.instantiate_pre(module)
}

fn split<'a>(caller: &'a mut Caller<'_, State>) -> wasmtime::Result<(wiggle::GuestMemory<'a>, &'a mut State)> {
    let memory = caller.get_export("memory").and_then(wasmtime::Extern::into_memory);
    let memory = memory.ok_or_else(|| wasmtime::format_err!("the guest has no memory"))?;
    let (bytes, state) = memory.data_and_store_mut(caller);
    Ok((wiggle::GuestMemory::Unshared(bytes), state))
}

/// What a new guest is given.
pub(crate) struct Setup<'a> {
    pub(crate) mounts: &'a [Mount],
    pub(crate) env: Vec<(&'a str, &'a str)>,
    pub(crate) args: Vec<&'a str>,
    pub(crate) stdin: String,
    pub(crate) limits: &'a Limits,
    pub(crate) mode: Mode,
    pub(crate) seed: Option<u64>,
    pub(crate) voice: Voice,
    /// What is in the workspace already.
    pub(crate) before: &'a Before,
}

/// A live instance.
pub(crate) struct Guest {
    pub(crate) store: Store<State>,
    memory: Memory,
    instance: Instance,
    alloc: TypedFunc<u32, u32>,
    turn: TypedFunc<(u32, u32), i32>,
    fuel: u64,
}

/// One turn's request, as the contract has it.
#[derive(Serialize)]
pub(crate) struct Turn<'a> {
    pub(crate) source: &'a str,
    pub(crate) filename: &'a str,
    pub(crate) argv: Vec<&'a str>,
    pub(crate) cwd: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    pub(crate) echo: crate::Echo,
}

impl Guest {
    /// Makes an instance whose memory starts as `image`.
    pub(crate) async fn new(
        pre: &InstancePre<State>,
        image: &Arc<MemoryImage>,
        setup: Setup<'_>,
    ) -> Result<Guest, RunError> {
        let mut builder = WasiCtxBuilder::new();
        builder
            // Files are local: a call is shorter than a hop to another thread. Sleeping is ours.
            .allow_blocking_current_thread(true)
            .envs(&setup.env)
            .args(&setup.args)
            .stdin(MemoryInputPipe::new(setup.stdin))
            .stdout(setup.voice.stream(Channel::Stdout))
            .stderr(setup.voice.stream(Channel::Stderr))
            .max_random_size(1 << 20);
        if let Some(seed) = setup.seed {
            builder.secure_random(rand::rngs::StdRng::seed_from_u64(seed));
        }
        let dev = preopen(&mut builder, setup.mounts, "/dev")?;
        let mut wasi = builder.build_p1();
        // The ledger counts the guest's handles; this stops what it might miss. Each handle takes
        // two entries at most, and the library needs a few for itself.
        let entries = setup.limits.open_handles.saturating_mul(2).saturating_add(64);
        wasi.ctx().table.set_max_capacity(usize::try_from(entries).unwrap_or(usize::MAX));
        let ledger = Ledger::new(setup.limits, setup.before.bytes, setup.before.files);
        let fuel = setup.limits.fuel;
        let state = State {
            wasi: GuestWasi::new(wasi, ledger, setup.mode, dev),
            memory: MemoryMeter::new(setup.limits),
            voice: setup.voice,
            fuel,
        };
        let mut store = Store::new(pre.module().engine(), state);
        store.limiter(|state| &mut state.memory);
        let failed = "failed to start a guest";
        store.set_fuel(fuel).map_err(RunError::engine(failed))?;
        store.fuel_async_yield_interval(Some(YIELD_FUEL)).map_err(RunError::engine(failed))?;
        let instance = {
            let _image = UseImage::new(image);
            pre.instantiate_async(&mut store).await.map_err(RunError::engine(failed))?
        };
        let memory = instance.get_memory(&mut store, "memory");
        let memory = memory.ok_or_else(|| RunError::Engine { action: failed, reason: "it has no memory".into() })?;
        let alloc = instance.get_typed_func(&mut store, "gb_alloc").map_err(RunError::engine(failed))?;
        let turn = instance.get_typed_func(&mut store, "gb_turn").map_err(RunError::engine(failed))?;
        // The limiter saw the module's declared minimum; the image brings more.
        let declared = usize::try_from(memory.ty(&store).minimum()).unwrap_or(0) * crate::memory::WASM_PAGE;
        store.data_mut().memory.add(image.len().saturating_sub(declared));
        Ok(Guest { store, memory, instance, alloc, turn, fuel })
    }

    /// Warms the interpreter up; the contract's `gb_warm`.
    pub(crate) async fn warm(&mut self) -> wasmtime::Result<i32> {
        let warm = self.instance.get_typed_func::<(), i32>(&mut self.store, "gb_warm")?;
        warm.call_async(&mut self.store, ()).await
    }

    /// Runs one turn; the contract's `gb_turn`.
    pub(crate) async fn turn(&mut self, request: &[u8]) -> wasmtime::Result<i32> {
        let length = u32::try_from(request.len())?;
        let at = self.alloc.call_async(&mut self.store, length).await?;
        if at == 0 {
            self.store.data_mut().memory.refused = true;
            wasmtime::bail!("the guest has no memory for a request of {length} bytes");
        }
        self.memory.write(&mut self.store, at as usize, request)?;
        self.turn.call_async(&mut self.store, (at, length)).await
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
