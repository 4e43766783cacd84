//! The Wasmtime engine: one configuration for preparing images and for running them.

use std::sync::Arc;

use wasmtime::{Collector, Config, Engine, OptLevel};

use crate::RunError;
use crate::memory::ImageMemoryCreator;

/// Stack of WebAssembly frames in bytes, so large that CPython's own count of nested C calls (5,000) is met first:
/// RecursionError, not a trap. A Python function that is called from C counts two or three and takes up to 3.4 KiB
/// (expat's handlers, numpy's ufuncs), 8 MiB in all; nothing but address space is taken by who does not recurse.
const WASM_STACK: usize = 16 << 20;
/// Stack of a guest's fiber; what exceeds `WASM_STACK` is for host functions.
const FIBER_STACK: usize = WASM_STACK + (1 << 20);

/// Makes the engine. Everything that the images do not need is off.
///
/// # Errors
///
/// If this machine cannot run Wasmtime's code.
pub(crate) fn engine() -> Result<Engine, RunError> {
    let mut config = Config::new();
    config
        // Fuel is the meter, and its yield points are where clocks are looked at: decisions/0001.
        .consume_fuel(true)
        .epoch_interruption(false)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .with_host_memory(Arc::new(ImageMemoryCreator))
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_relaxed_simd(false)
        // C++ exceptions of matplotlib and numpy; their objects live in a collected heap.
        .wasm_exceptions(true)
        .collector(Collector::DeferredReferenceCounting)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_tail_call(false)
        .wasm_extended_const(true)
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    Engine::new(&config).map_err(RunError::engine("failed to start Wasmtime"))
}
