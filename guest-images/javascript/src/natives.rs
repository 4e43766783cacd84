//! What JavaScript cannot do by itself: the functions of the object that `guest` calls `native`.
//!
//! A turn that is over closes these doors: what it left behind can compute, but neither print nor touch a file.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::time::Duration;

use rquickjs::context::EvalOptions;
use rquickjs::function::Func;
use rquickjs::{ArrayBuffer, Coerced, Ctx, Exception, Object, Result, TypedArray, Value, qjs};

use crate::{files, host};

/// Name of the object while `guest` is being loaded; no script ever sees it.
pub const NAME: &str = "glovebox$native";

/// Memory put aside so that an error can be reported when there is no other.
const RESERVE: usize = 1 << 20;

thread_local! {
    static EXIT: Cell<Option<i32>> = const { Cell::new(None) };
    static CLOSED: Cell<bool> = const { Cell::new(false) };
    // During the warm-up nobody listens.
    static SILENT: Cell<bool> = const { Cell::new(true) };
    static RESERVED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A turn begins.
pub fn begin() {
    EXIT.set(None);
    CLOSED.set(false);
    RESERVED.with_borrow_mut(|reserved| {
        // Failing is fine: then it is the script that is told of it.
        if reserved.capacity() == 0 {
            let _ = reserved.try_reserve_exact(RESERVE);
        }
    });
}

/// Gives the reserve back, for a turn that may have used up everything else.
pub fn make_room() {
    RESERVED.with_borrow_mut(|reserved| *reserved = Vec::new());
}

/// Whether the host gives no more memory.
pub fn memory_is_used_up() -> bool {
    core::arch::wasm32::memory_grow(0, RESERVE / 65536) == usize::MAX
}

/// From now on what scripts print is for somebody.
pub fn be_heard() {
    SILENT.set(false);
}

/// A turn is over.
pub fn close() {
    CLOSED.set(true);
}

/// The argument of `process.exit()`, once it was called.
pub fn exit_code() -> Option<i32> {
    EXIT.get()
}

/// Makes the object, as a global until the guest's modules are loaded.
pub fn install(ctx: &Ctx<'_>) -> Result<()> {
    let native = Object::new(ctx.clone())?;
    native.set("write", Func::from(write))?;
    native.set("event", Func::from(event))?;
    native.set("call", Func::from(call))?;
    native.set("exit", Func::from(exit))?;
    native.set("random", Func::from(random))?;
    native.set("now", Func::from(now))?;
    native.set("sleep", Func::from(sleep))?;
    native.set("environ", Func::from(environ))?;
    native.set("encode", Func::from(encode))?;
    native.set("decode", Func::from(decode))?;
    native.set("input", Func::from(input))?;
    native.set("compile", Func::from(compile))?;
    files::install(&native)?;
    ctx.globals().set(NAME, native)
}

/// Throws what no script can catch, if the turn is over.
pub fn open(ctx: &Ctx<'_>) -> Result<()> {
    if CLOSED.get() || EXIT.get().is_some() {
        return Err(uncatchable(ctx));
    }
    Ok(())
}

fn uncatchable(ctx: &Ctx<'_>) -> rquickjs::Error {
    match Exception::from_message(ctx.clone(), "the turn is over") {
        Ok(exception) => {
            let value = exception.into_object().into_value();
            // SAFETY: sets a flag of an error object that is alive.
            unsafe { qjs::JS_SetUncatchableError(ctx.as_raw().as_ptr(), value.as_raw()) };
            ctx.throw(value)
        }
        Err(error) => error,
    }
}

/// `write(descriptor, text or bytes)`: whole, at once; a reader that went away is not the script's fault.
fn write(ctx: Ctx<'_>, descriptor: i32, data: Value<'_>) -> Result<()> {
    open(&ctx)?;
    let bytes = bytes(&data)?;
    if SILENT.get() && descriptor == 1 {
        return Ok(());
    }
    let _ = match descriptor {
        1 => std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush()),
        _ => std::io::stderr().write_all(&bytes),
    };
    Ok(())
}

/// The bytes of a string (UTF-8) or of a `Uint8Array`.
pub fn bytes(data: &Value<'_>) -> Result<Vec<u8>> {
    if let Some(text) = data.as_string() {
        return Ok(text.to_string()?.into_bytes());
    }
    let array = TypedArray::<u8>::from_value(data.clone())?;
    // SAFETY: copied before any script runs again.
    Ok(unsafe { array.as_bytes() }.unwrap_or_default().to_vec())
}

fn event(ctx: Ctx<'_>, json: String) -> Result<()> {
    open(&ctx)?;
    host::send_event(json.as_bytes());
    Ok(())
}

/// `call(json)`: the host's answer, or `undefined` when it refuses.
fn call(ctx: Ctx<'_>, json: String) -> Result<Option<String>> {
    open(&ctx)?;
    Ok(host::ask(json.as_bytes()).map(|answer| String::from_utf8_lossy(&answer).into_owned()))
}

fn exit(ctx: Ctx<'_>, code: i32) -> Result<()> {
    open(&ctx)?;
    EXIT.set(Some(code & 255));
    Err(uncatchable(&ctx))
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(ptr: *mut u8, len: usize) -> i32;
    fn clock_time_get(clock: i32, precision: u64, time: *mut u64) -> i32;
}

/// `random(n)`: n bytes of the host's entropy.
fn random<'js>(ctx: Ctx<'js>, len: usize) -> Result<ArrayBuffer<'js>> {
    let mut bytes = vec![0; len];
    // SAFETY: the host writes `len` bytes there.
    if unsafe { random_get(bytes.as_mut_ptr(), len) } != 0 {
        return Err(Exception::throw_internal(&ctx, "the host has no entropy"));
    }
    ArrayBuffer::new_copy(ctx, &bytes)
}

/// Milliseconds of the host's monotonic clock. Rust's `Instant` would not do: a saved one is of another host's clock.
fn now() -> f64 {
    const MONOTONIC: i32 = 1;
    let mut nanoseconds = 0;
    // SAFETY: the host writes one u64 there. A host without such a clock leaves the 0.
    unsafe { clock_time_get(MONOTONIC, 1000, &mut nanoseconds) };
    nanoseconds as f64 / 1e6
}

fn sleep(ctx: Ctx<'_>, milliseconds: f64) -> Result<()> {
    open(&ctx)?;
    if milliseconds > 0.0 {
        std::thread::sleep(Duration::try_from_secs_f64(milliseconds / 1e3).unwrap_or(Duration::MAX));
    }
    Ok(())
}

/// The environment as `[name, value, name, value …]`.
fn environ() -> Vec<String> {
    std::env::vars_os()
        .flat_map(|(name, value)| [name, value].map(|text| text.to_string_lossy().into_owned()))
        .collect()
}

fn encode<'js>(ctx: Ctx<'js>, text: Coerced<String>) -> Result<ArrayBuffer<'js>> {
    ArrayBuffer::new_copy(ctx, text.0.as_bytes())
}

/// `decode(bytes, fatal)`: UTF-8 to text; `undefined` if `fatal` and it is none.
fn decode(data: Value<'_>, fatal: bool) -> Result<Option<String>> {
    let array = TypedArray::<u8>::from_value(data)?;
    // SAFETY: copied before any script runs again.
    let bytes = unsafe { array.as_bytes() }.unwrap_or_default();
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) if fatal => Ok(None),
        Err(_) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
    }
}

/// All of standard input that was not read yet.
fn input<'js>(ctx: Ctx<'js>) -> Result<ArrayBuffer<'js>> {
    let mut bytes = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut bytes);
    ArrayBuffer::new_copy(ctx, &bytes)
}

/// `compile(source, filename)`: the value of a script, for functions whose errors shall name a file.
fn compile<'js>(ctx: Ctx<'js>, source: String, filename: String) -> Result<Value<'js>> {
    let mut options = EvalOptions::default();
    options.filename = Some(filename);
    options.strict = false;
    ctx.eval_with_options(source, options)
}
