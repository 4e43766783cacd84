//! QuickJS as a Glovebox guest: the four exports of the guest contract over one interpreter.
//!
//! The interpreter is started once by [`gb_warm`] and never dropped. Between calls no Rust frame is alive, no file is
//! open and nothing but linear memory has changed, so a host may copy the memory after `gb_warm` and lay it under any
//! number of fresh instances. What belongs to one instance only (descriptors, environment, entropy) is forgotten at the
//! end of `gb_warm` and read again by [`gb_turn`]. What a script sees is written in JavaScript, in `guest`.

use std::cell::Cell;

mod engine;
mod files;
mod host;
mod modules;
mod natives;
mod source;
mod tokens;

use engine::Engine;

/// Status of a turn whose interpreter never started.
const NEVER_WARM: i32 = 70;

thread_local! {
    // A leaked reference, so that no destructor is registered and nothing ends the interpreter.
    static ENGINE: Cell<Option<&'static Engine>> = const { Cell::new(None) };
}

/// Starts the interpreter and brings it to the state worth copying. Returns 0 when the guest is ready.
#[unsafe(no_mangle)]
pub extern "C" fn gb_warm() -> i32 {
    if ENGINE.get().is_some() {
        return 0;
    }
    host::run_constructors();
    let engine = match Engine::start() {
        Ok(engine) => engine,
        Err(reason) => {
            eprintln!("{reason}");
            return NEVER_WARM;
        }
    };
    ENGINE.set(Some(Box::leak(Box::new(engine))));
    host::forget_preopens();
    host::forget_environment();
    0
}

/// Room for `len` bytes that the host is about to write, or 0 when there is no memory left.
#[unsafe(no_mangle)]
pub extern "C" fn gb_alloc(len: usize) -> *mut u8 {
    host::allocate(len)
}

/// Runs one request (see `guest/turn.js`) and returns the script's exit status.
///
/// # Safety
///
/// `ptr` comes from [`gb_alloc`] with the same `len`, and its bytes have been written. The buffer is freed here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gb_turn(ptr: *mut u8, len: usize) -> i32 {
    // SAFETY: this function's own contract.
    let request = unsafe { host::adopt(ptr, len) };
    if gb_warm() != 0 {
        return NEVER_WARM;
    }
    let Some(engine) = ENGINE.get() else {
        return NEVER_WARM;
    };
    // A saved session may continue in an instance that numbers its descriptors differently.
    host::forget_preopens();
    engine.turn(request)
}
