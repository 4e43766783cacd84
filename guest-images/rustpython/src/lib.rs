//! RustPython as a Glovebox guest: the four exports of the guest contract over one interpreter.
//!
//! The interpreter is started once by [`gb_warm`] and never dropped. Between calls no Rust frame is alive, no file is
//! open and nothing but linear memory has changed, so a host may copy the memory after `gb_warm` and lay it under any
//! number of fresh instances. What belongs to one instance only (descriptors, environment, entropy) is forgotten at the
//! end of `gb_warm` and read again by [`gb_turn`]. The turn itself is written in Python, in `guest/glovebox_guest`.

use std::cell::Cell;

use rustpython_vm::{Interpreter, PyObjectRef, PyResult, Settings, VirtualMachine, convert::TryFromObject};

mod host;

/// Statuses of our own; a script's `sys.exit(n)` can give any other.
const FAILED: i32 = 1;
const NEVER_WARM: i32 = 70;

/// The interpreter and the one Python function that Rust calls.
struct Guest {
    interpreter: Interpreter,
    turn: PyObjectRef,
}

thread_local! {
    // A leaked reference, so that no destructor is registered and nothing ends the interpreter.
    static GUEST: Cell<Option<&'static Guest>> = const { Cell::new(None) };
}

/// Starts the interpreter and brings it to the state worth copying. Returns 0 when the guest is ready.
#[unsafe(no_mangle)]
pub extern "C" fn gb_warm() -> i32 {
    if GUEST.get().is_some() {
        return 0;
    }
    host::run_constructors();
    let interpreter = start_interpreter();
    let Some(turn) = interpreter.enter(|vm| report(vm, warm(vm))) else {
        return FAILED;
    };
    GUEST.set(Some(Box::leak(Box::new(Guest { interpreter, turn }))));
    host::forget_preopens();
    host::forget_environment();
    0
}

/// Room for `len` bytes that the host is about to write, or 0 when there is no memory left.
#[unsafe(no_mangle)]
pub extern "C" fn gb_alloc(len: usize) -> *mut u8 {
    host::allocate(len)
}

/// Runs one request (see `guest/glovebox_guest/turns.py`) and returns the script's exit status.
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
    let Some(guest) = GUEST.get() else {
        return NEVER_WARM;
    };
    // A saved session may continue in an instance that numbers its descriptors differently.
    host::forget_preopens();
    guest.interpreter.enter(|vm| {
        let status =
            guest.turn.call((vm.ctx.new_bytes(request),), vm).and_then(|status| i32::try_from_object(vm, status));
        report(vm, status).unwrap_or(FAILED)
    })
}

fn start_interpreter() -> Interpreter {
    let mut settings = Settings::default();
    settings.argv = vec![String::new()];
    settings.hash_seed = Some(0); // the image fixes it anyway; said here, set order is the same in every build
    settings.ignore_environment = true;
    settings.import_site = false;
    settings.install_signal_handlers = false;
    settings.stdio_encoding = Some("utf-8".to_owned());
    settings.stdio_errors = Some("surrogateescape".to_owned());
    settings.user_site_directory = false;
    settings.utf8_mode = 1;
    settings.write_bytecode = false;

    let builder = Interpreter::builder(settings);
    let stdlib = rustpython_stdlib::stdlib_module_defs(&builder.ctx);
    let glovebox = host::module::module_def(&builder.ctx);
    builder
        .add_native_modules(&stdlib)
        .add_native_module(glovebox)
        .add_frozen_modules(rustpython_pylib::FROZEN_STDLIB)
        .add_frozen_modules(rustpython_vm::py_freeze!(dir = "../guest"))
        .build()
}

/// Runs the Python half's warm-up and fetches its `turn` function.
fn warm(vm: &VirtualMachine) -> PyResult {
    let guest = vm.import("glovebox_guest", 0)?;
    guest.get_attr("warm", vm)?.call((), vm)?;
    guest.get_attr("turn", vm)
}

/// The Python half reports a script's exceptions itself; one that comes this far is a fault of ours.
fn report<T>(vm: &VirtualMachine, result: PyResult<T>) -> Option<T> {
    result.inspect_err(|exception| vm.print_exception(exception)).ok()
}
