//! The line between guest and host, and what wasi-libc remembers of an instance. Most `unsafe` code of this crate is here.

use std::alloc::{Layout, alloc};

#[link(wasm_import_module = "glovebox")]
unsafe extern "C" {
    #[link_name = "event"]
    fn host_event(ptr: *const u8, len: usize);
    #[link_name = "call"]
    fn host_call(ptr: *const u8, len: usize) -> i64;
}

// From the linker and wasi-libc, which Rust's standard library brings along for this target.
unsafe extern "C" {
    fn __wasm_call_ctors();
    fn __wasilibc_reset_preopens();
    fn __wasilibc_deinitialize_environ();
}

/// Runs static constructors, once. Naming them here also keeps the linker from running them around every export.
pub fn run_constructors() {
    // SAFETY: called by `gb_warm` before any other code of the module has run, and only then.
    unsafe { __wasm_call_ctors() }
}

/// Makes wasi-libc ask for the preopened directories again when it next needs one.
pub fn forget_preopens() {
    // SAFETY: frees a table that nobody holds a reference into; there is one thread.
    unsafe { __wasilibc_reset_preopens() }
}

/// Makes wasi-libc ask for the environment again when it next needs it.
pub fn forget_environment() {
    // SAFETY: frees strings that nobody holds a reference to (scripts get copies); there is one thread.
    unsafe { __wasilibc_deinitialize_environ() }
}

/// A buffer of `len` bytes for the host to fill, or null. [`adopt`] takes it back.
pub fn allocate(len: usize) -> *mut u8 {
    match Layout::array::<u8>(len.max(1)) {
        // SAFETY: the layout has at least one byte.
        Ok(layout) => unsafe { alloc(layout) },
        Err(_) => std::ptr::null_mut(),
    }
}

/// Takes over a buffer that the host has filled.
///
/// # Safety
///
/// `ptr` comes from [`allocate`] with the same `len`, all bytes are written, and it is adopted once.
pub unsafe fn adopt(ptr: *mut u8, len: usize) -> Vec<u8> {
    // SAFETY: the caller's promise; the capacity is that of the layout in `allocate`.
    unsafe { Vec::from_raw_parts(ptr, len, len.max(1)) }
}

/// Hands one event, a JSON object, to the host.
pub fn send_event(event: &[u8]) {
    // SAFETY: the host reads the bytes before it returns.
    unsafe { host_event(event.as_ptr(), event.len()) }
}

/// Asks the host for a service and waits for its answer; `None` when it refuses.
pub fn ask(request: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the host reads the bytes before it returns.
    let answer = unsafe { host_call(request.as_ptr(), request.len()) };
    if answer == -1 {
        return None;
    }
    let (ptr, len) = ((answer >> 32) as u32 as usize, answer as u32 as usize);
    // SAFETY: the contract: the answer lies in memory from `gb_alloc(len)` and is now ours.
    Some(unsafe { adopt(ptr as *mut u8, len) })
}
