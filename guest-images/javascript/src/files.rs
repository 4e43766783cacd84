//! Files: each function does one operation and gives a number, WASI's errno, where it failed. `guest/fs.js` makes an API.

use std::fs;
use std::io::{self, Write};
use std::time::UNIX_EPOCH;

use rquickjs::function::Func;
use rquickjs::{Array, ArrayBuffer, Ctx, IntoJs, Object, Result, Value};

use crate::natives::{bytes, open};

/// Errno of a path that leads to no directory of ours: to a script, nothing is there.
const NO_ENTRY: i32 = 44;

/// Adds the functions to `native`.
pub fn install(native: &Object<'_>) -> Result<()> {
    native.set("readFile", Func::from(read_file))?;
    native.set("writeFile", Func::from(write_file))?;
    native.set("readDir", Func::from(read_dir))?;
    native.set("stat", Func::from(stat))?;
    native.set("change", Func::from(change))
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(NO_ENTRY)
}

fn answer<'js, T: IntoJs<'js>>(ctx: &Ctx<'js>, result: io::Result<T>) -> Result<Value<'js>> {
    match result {
        Ok(value) => value.into_js(ctx),
        Err(error) => errno(&error).into_js(ctx),
    }
}

fn read_file<'js>(ctx: Ctx<'js>, path: String) -> Result<Value<'js>> {
    open(&ctx)?;
    let bytes = read_all(&path).and_then(|bytes| {
        ArrayBuffer::new(ctx.clone(), bytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
    });
    answer(&ctx, bytes)
}

/// As `fs::read`, but memory that is not there is an error and no end of the interpreter.
fn read_all(path: &str) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from_raw_os_error(31));
    }
    let mut bytes = Vec::new();
    let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(size.saturating_add(1)).map_err(|_| io::Error::from_raw_os_error(48))?;
    io::Read::read_to_end(&mut file, &mut bytes)?;
    Ok(bytes)
}

/// `writeFile(path, data, how)`: how is `w`, `a` (append) or `x` (fail if it is there).
fn write_file<'js>(ctx: Ctx<'js>, path: String, data: Value<'js>, how: String) -> Result<Value<'js>> {
    open(&ctx)?;
    let data = bytes(&data)?;
    let mut options = fs::OpenOptions::new();
    match how.as_str() {
        "a" => options.append(true).create(true),
        "x" => options.write(true).create_new(true),
        _ => options.write(true).create(true).truncate(true),
    };
    answer(&ctx, options.open(&path).and_then(|mut file| file.write_all(&data)))
}

/// `[name, kind, name, kind …]`, sorted: the order of a directory is no script's business.
fn read_dir<'js>(ctx: Ctx<'js>, path: String) -> Result<Value<'js>> {
    open(&ctx)?;
    let list = || -> io::Result<Vec<String>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            entries.push((entry.file_name().to_string_lossy().into_owned(), kind(entry.file_type()?).to_owned()));
        }
        entries.sort();
        Ok(entries.into_iter().flat_map(|(name, kind)| [name, kind]).collect())
    };
    answer(&ctx, list())
}

fn kind(file_type: fs::FileType) -> &'static str {
    match file_type {
        kind if kind.is_dir() => "directory",
        kind if kind.is_symlink() => "link",
        kind if kind.is_file() => "file",
        _ => "other",
    }
}

/// `[kind, size, modified, accessed]`, times in milliseconds since 1970.
fn stat<'js>(ctx: Ctx<'js>, path: String, follow: bool) -> Result<Value<'js>> {
    open(&ctx)?;
    let metadata = match if follow { fs::metadata(&path) } else { fs::symlink_metadata(&path) } {
        Ok(metadata) => metadata,
        Err(error) => return errno(&error).into_js(&ctx),
    };
    let milliseconds = |time: io::Result<std::time::SystemTime>| {
        time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0.0, |since| since.as_secs_f64() * 1e3)
    };
    let list = Array::new(ctx.clone())?;
    list.set(0, kind(metadata.file_type()))?;
    list.set(1, metadata.len() as f64)?;
    list.set(2, milliseconds(metadata.modified()))?;
    list.set(3, milliseconds(metadata.accessed()))?;
    Ok(list.into_value())
}

/// `change(what, path, to)`: operations with nothing to give back but success, which is `undefined`.
fn change<'js>(ctx: Ctx<'js>, what: String, path: String, to: String) -> Result<Value<'js>> {
    open(&ctx)?;
    let done = match what.as_str() {
        "mkdir" => fs::create_dir(&path),
        "rmdir" => fs::remove_dir(&path),
        "unlink" => fs::remove_file(&path),
        "rename" => fs::rename(&path, &to),
        "copy" => fs::copy(&path, &to).map(drop),
        "rmtree" => fs::remove_dir_all(&path),
        _ => Err(io::Error::from_raw_os_error(28)),
    };
    answer(&ctx, done)
}
