//! A plain Wasmtime host for the python image: no limits, no saved memory, only what a turn needs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use glovebox_benches::place;
use serde_json::json;
use wasmtime::{Caller, Collector, Config, Engine, Linker, Memory, Module, OptLevel, Store, TypedFunc};
use wasmtime_wasi::p1::{WasiP1Ctx, add_to_linker_sync};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What is compiled into the guest's code so that it can be stopped.
#[derive(Clone, Copy, Debug)]
pub enum Metering {
    Fuel,
    Epoch,
    Both,
    None,
}

/// All of them, as the table calls them.
pub const METERINGS: [(&str, Metering); 4] = [
    ("fuel only", Metering::Fuel),
    ("epoch only", Metering::Epoch),
    ("both", Metering::Both),
    ("neither", Metering::None),
];

impl Metering {
    fn fuel(self) -> bool {
        matches!(self, Metering::Fuel | Metering::Both)
    }

    fn epoch(self) -> bool {
        matches!(self, Metering::Epoch | Metering::Both)
    }
}

/// As `runtime/src/engine.rs` has it, but for the checks.
fn engine(metering: Metering) -> Result<Engine> {
    let mut config = Config::new();
    config
        .consume_fuel(metering.fuel())
        .epoch_interruption(metering.epoch())
        .max_wasm_stack(4 << 20)
        .async_stack_size(5 << 20)
        .cranelift_opt_level(OptLevel::Speed)
        .wasm_relaxed_simd(false)
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
    Ok(Engine::new(&config)?)
}

/// A live interpreter.
pub struct Guest {
    store: Store<WasiP1Ctx>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    turn: TypedFunc<(u32, u32), i32>,
    _files: tempfile::TempDir,
}

impl Guest {
    pub fn new(metering: Metering) -> Result<Guest> {
        let engine = engine(metering)?;
        let module = module(&engine, metering)?;
        let files = unpack()?;
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_blocking_current_thread(true).inherit_stderr();
        for (name, value) in [("HOME", "/tmp"), ("TMPDIR", "/tmp"), ("MPLBACKEND", "agg"), ("LANG", "C.UTF-8")] {
            wasi.env(name, value);
        }
        wasi.env("MPLCONFIGDIR", "/tmp/matplotlib");
        for (name, guest) in [("py", "/py"), ("data", "/mnt/data"), ("tmp", "/tmp")] {
            wasi.preopened_dir(files.path().join(name), guest, FsPerms::ReadWrite)?;
        }
        let mut linker: Linker<WasiP1Ctx> = Linker::new(&engine);
        add_to_linker_sync(&mut linker, |wasi| wasi)?;
        linker.func_wrap("glovebox", "event", report)?;
        linker.func_wrap("glovebox", "call", |_: u32, _: u32| -> i64 { -1 })?;
        let mut store = Store::new(&engine, wasi.build_p1());
        if metering.fuel() {
            store.set_fuel(u64::MAX)?;
        }
        if metering.epoch() {
            store.set_epoch_deadline(1 << 40);
        }
        let instance = linker.instantiate(&mut store, &module)?;
        let memory = instance.get_memory(&mut store, "memory").context("the guest has no memory")?;
        let alloc = instance.get_typed_func(&mut store, "gb_alloc")?;
        let turn = instance.get_typed_func(&mut store, "gb_turn")?;
        let warm = instance.get_typed_func::<(), i32>(&mut store, "gb_warm")?;
        let status = warm.call(&mut store, ())?;
        if status != 0 {
            bail!("the warm-up failed with status {status}");
        }
        Ok(Guest { store, memory, alloc, turn, _files: files })
    }

    pub fn turn(&mut self, source: &str) -> Result<()> {
        let request =
            json!({"source": source, "filename": "main.py", "argv": ["main.py"], "cwd": "/mnt/data", "echo": "none"});
        let request = request.to_string();
        let length = u32::try_from(request.len())?;
        let at = self.alloc.call(&mut self.store, length)?;
        self.memory.write(&mut self.store, at as usize, request.as_bytes())?;
        match self.turn.call(&mut self.store, (at, length))? {
            0 => Ok(()),
            status => bail!("`{source}` ended with status {status}"),
        }
    }
}

/// A guest's event: only errors are of interest here.
fn report(mut caller: Caller<'_, WasiP1Ctx>, at: u32, length: u32) {
    let memory = caller.get_export("memory").and_then(wasmtime::Extern::into_memory);
    let bytes = memory.and_then(|memory| memory.data(&caller).get(at as usize..(at + length) as usize));
    let event = String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    if event.contains("\"error\"") {
        eprintln!("{event}");
    }
}

fn image_dir() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images/python")).to_owned()
}

/// The image's library, a workspace and a `/tmp`.
fn unpack() -> Result<tempfile::TempDir> {
    let files = tempfile::tempdir()?;
    for name in ["py", "data", "tmp"] {
        std::fs::create_dir(files.path().join(name))?;
    }
    let library = files.path().join("py");
    for archive in ["library.tar.zst", "mpl-data.tar.zst"] {
        let data = zstd::Decoder::new(std::fs::File::open(image_dir().join(archive))?)?;
        tar::Archive::new(data).unpack(&library)?;
    }
    Ok(files)
}

/// The compiled module, from the cache if it was compiled before.
fn module(engine: &Engine, metering: Metering) -> Result<Module> {
    let cache = place::cache().join("bench");
    std::fs::create_dir_all(&cache)?;
    let path = cache.join(format!("python-{metering:?}.cwasm"));
    // SAFETY: the file is in the user's own cache directory and was written below; Wasmtime refuses another build's.
    if let Ok(module) = unsafe { Module::deserialize_file(engine, &path) } {
        return Ok(module);
    }
    let wasm = zstd::decode_all(std::fs::File::open(image_dir().join("python.wasm.zst"))?)?;
    let draft = path.with_extension("new");
    std::fs::write(&draft, engine.precompile_module(&wasm)?)?;
    std::fs::rename(&draft, &path)?;
    // SAFETY: it was written just now.
    Ok(unsafe { Module::deserialize_file(engine, &path) }?)
}
