//! Command images: any WASI preview 1 command runs one program, from `_start` to its end.
//!
//! No state of such an instance is ever used again, so that nothing has to be proved about it, as
//! `module.rs` does for reactors: any module is good that imports WASI preview 1 alone. Where its
//! data allows it, the memory is mapped from a file as a reactor's is, which saves copying the data
//! at each start. See `docs/decisions/0007-command-images.md`.

use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{Encoding, ExternalKind, Operator, Parser, Payload, TypeRef};

use crate::memory::WASM_PAGE;
use crate::module::{GLOVEBOX_IMPORTS, Split, active_segment, text};
use crate::mount::{Access, Mount};
use crate::{Ending, Limits, Program, RunError};

/// Where a command finds its program: a directory of its own, read-only.
pub(crate) const PROGRAM: &str = "/program";
/// Stands for the program's path.
const SCRIPT: &str = "{script}";
/// Stands for the program's arguments.
const ARGS: &str = "{args}";
/// The function that a command is entered by.
pub(crate) const START: &str = "_start";
/// Name under which the code module exports its start function, if it has one. Wasmtime would call it while it
/// instantiates the module, where no clock is looked at.
pub(crate) const INITIALIZE: &str = "__glovebox_initialize";

/// How a command is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// Its arguments, its own name first. `{script}` anywhere in one stands for the path of the program's file,
    /// `{args}` alone for the program's arguments.
    pub argv: Vec<String>,
}

impl CommandLine {
    /// # Errors
    ///
    /// One sentence on what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.argv.iter().any(|argument| argument.contains('\0')) {
            return Err("command.argv holds a zero byte".into());
        }
        if self.argv.iter().any(|argument| argument.contains(ARGS) && argument != ARGS) {
            return Err(format!("{ARGS} in command.argv must be an argument of its own"));
        }
        // The first is the command's name.
        if !self.argv.iter().skip(1).any(|argument| argument.contains(SCRIPT)) {
            return Err(format!("command.argv has no {SCRIPT} after the name, so that no program would ever be read"));
        }
        Ok(())
    }

    fn expand(&self, script: &str, args: &[String]) -> Vec<String> {
        let mut argv = Vec::new();
        for argument in &self.argv {
            if argument == ARGS {
                argv.extend_from_slice(args);
            } else {
                argv.push(argument.replace(SCRIPT, script));
            }
        }
        argv
    }
}

/// A program in a directory of its own, which lives as long as this value.
pub(crate) struct Placed {
    dir: tempfile::TempDir,
    pub(crate) argv: Vec<String>,
}

impl Placed {
    /// Writes the program where its command will find it. `default_name`: of a program without a name.
    pub(crate) fn new(line: &CommandLine, program: &Program, default_name: &str) -> Result<Placed, RunError> {
        let dir = tempfile::Builder::new().prefix("glovebox-program-").tempdir();
        let dir = dir.map_err(RunError::io("failed to make a directory in", std::env::temp_dir()))?;
        let name = file_name(program.filename.as_deref().unwrap_or(default_name), default_name);
        let path = dir.path().join(&name);
        std::fs::write(&path, &program.source).map_err(RunError::io("failed to write", path))?;
        Ok(Placed { argv: line.expand(&format!("{PROGRAM}/{name}"), &program.args), dir })
    }

    /// The program's directory and, where commands look for a path that is relative, the workspace once more:
    /// preview 1 knows no working directory, and a C library takes `/` for it.
    pub(crate) fn mounts(&self, workspace: &Path) -> [Mount; 2] {
        [Mount::new(self.dir.path(), PROGRAM, Access::ReadOnly), Mount::new(workspace, ".", Access::ReadWrite)]
    }
}

/// The last part of a name that somebody else chose, if a file can have it.
fn file_name(name: &str, default: &str) -> String {
    /// Most file systems take 255 bytes.
    const LONGEST: usize = 200;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let usable = !matches!(last, "" | "." | "..") && last.len() <= LONGEST && !last.chars().any(char::is_control);
    if usable { last.to_owned() } else { default.to_owned() }
}

/// Refuses a command whose memory is too large before it did anything.
pub(crate) fn check_memory(image: &str, bytes: usize, limits: &Limits) -> Result<(), RunError> {
    let mib = (bytes as u64).div_ceil(1 << 20);
    if mib <= limits.memory_mib {
        return Ok(());
    }
    let limit = limits.memory_mib;
    Err(RunError::image(
        image,
        format!("it starts with {mib} MiB of memory, and memory_mib is {limit}; choose another policy"),
    ))
}

/// What a program that failed was refused: its exit code does not tell.
pub(crate) fn warnings(ending: &Ending, memory: bool, disk: bool, limits: &Limits) -> Vec<String> {
    if !matches!(ending, Ending::Exited { code: 1.. }) {
        return Vec::new();
    }
    let memory =
        memory.then(|| format!("the program was refused more memory than {} MiB (memory_mib)", limits.memory_mib));
    let disk = disk.then(|| {
        let Limits { workspace_mib, workspace_files, file_mib, .. } = limits;
        format!(
            "the program was refused more files: {workspace_mib} MiB (workspace_mib), {file_mib} MiB in one (file_mib), \
             {workspace_files} files (workspace_files)"
        )
    });
    memory.into_iter().chain(disk).collect()
}

/// Splits a command's binary into code and initial memory. If its data is not laid out once and for all before it
/// starts, the code keeps it and `data` is empty.
///
/// # Errors
///
/// One sentence on what is wrong: not a module, not a command, or imports what there is not.
pub(crate) fn split(wasm: &[u8]) -> Result<Split, String> {
    let facts = Facts::read(wasm)?;
    let memory_min = facts.memory_min.filter(|&bytes| bytes > 0).ok_or("it has no memory to start with")?;
    let data = facts.data.filter(|_| !facts.needs_segments);
    if let Some((offset, _)) = data.iter().flatten().find(|(offset, bytes)| offset + bytes.len() > memory_min) {
        return Err(format!("its data segment at {offset} does not fit its memory"));
    }
    let mut module = wasm_encoder::Module::new();
    for (id, range) in facts.sections {
        match id {
            DATA | DATA_COUNT if data.is_some() => {}
            EXPORTS => {
                let mut section = ExportSection::new();
                for (name, kind, index) in &facts.exports {
                    section.export(name, export_kind(*kind)?, *index);
                }
                if let Some(function) = facts.initialize {
                    section.export(INITIALIZE, ExportKind::Func, function);
                }
                module.section(&section);
            }
            id => {
                module.section(&RawSection { id, data: &wasm[range] });
            }
        }
    }
    Ok(Split { code: module.finish(), data: data.unwrap_or_default(), memory_min })
}

/// Ids of sections in the binary format.
const EXPORTS: u8 = 7;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;

/// What is known of a command's binary.
#[derive(Default)]
struct Facts {
    /// All but names and debug information.
    sections: Vec<(u8, Range<usize>)>,
    /// Declared minimum in bytes.
    memory_min: Option<usize>,
    /// Offset and bytes of each segment, if all are active at constant places.
    data: Option<Vec<(usize, Vec<u8>)>>,
    /// Code refers to segments.
    needs_segments: bool,
    exports: Vec<(String, ExternalKind, u32)>,
    /// The start function.
    initialize: Option<u32>,
}

impl Facts {
    fn read(wasm: &[u8]) -> Result<Facts, String> {
        let mut facts = Facts { data: Some(Vec::new()), ..Facts::default() };
        for payload in Parser::new(0).parse_all(wasm) {
            let payload = payload.map_err(|error| format!("not a WebAssembly module: {error}"))?;
            match &payload {
                Payload::Version { encoding: Encoding::Component, .. } => {
                    return Err("it is a component (WASI preview 2); an image needs a preview 1 module".into());
                }
                Payload::CustomSection(_) => continue,
                Payload::ImportSection(reader) => {
                    for import in reader.clone().into_imports() {
                        let import = import.map_err(text)?;
                        check_import(import.module, import.name, matches!(import.ty, TypeRef::Func(_)))?;
                    }
                }
                Payload::MemorySection(reader) => {
                    let memories = reader.clone().into_iter().collect::<Result<Vec<_>, _>>().map_err(text)?;
                    match memories.as_slice() {
                        [memory] if !memory.shared && !memory.memory64 => {
                            facts.memory_min = Some(usize::try_from(memory.initial).map_err(text)? * WASM_PAGE);
                        }
                        _ => return Err("it must have one unshared 32-bit memory".into()),
                    }
                }
                Payload::ExportSection(reader) => {
                    for export in reader.clone() {
                        let export = export.map_err(text)?;
                        facts.exports.push((export.name.to_owned(), export.kind, export.index));
                    }
                }
                Payload::StartSection { func, .. } => {
                    facts.initialize = Some(*func);
                    continue;
                }
                Payload::DataSection(reader) => {
                    for segment in reader.clone() {
                        let segment = active_segment(&segment.map_err(text)?).ok();
                        facts.data = facts.data.zip(segment).map(|(mut data, segment)| {
                            data.push(segment);
                            data
                        });
                    }
                }
                Payload::CodeSectionEntry(body) if !facts.needs_segments => {
                    for operator in body.get_operators_reader().map_err(text)? {
                        let operator = operator.map_err(text)?;
                        facts.needs_segments |=
                            matches!(operator, Operator::MemoryInit { .. } | Operator::DataDrop { .. });
                    }
                }
                _ => {}
            }
            if let Some(section) = payload.as_section() {
                facts.sections.push(section);
            }
        }
        check_exports(&facts.exports)?;
        Ok(facts)
    }
}

fn export_kind(kind: ExternalKind) -> Result<ExportKind, String> {
    match kind {
        ExternalKind::Func => Ok(ExportKind::Func),
        ExternalKind::Table => Ok(ExportKind::Table),
        ExternalKind::Memory => Ok(ExportKind::Memory),
        ExternalKind::Global => Ok(ExportKind::Global),
        ExternalKind::Tag => Ok(ExportKind::Tag),
        other => Err(format!("it exports a {other:?}")),
    }
}

fn check_import(module: &str, name: &str, function: bool) -> Result<(), String> {
    let allowed = match module {
        "wasi_snapshot_preview1" => true,
        "glovebox" => GLOVEBOX_IMPORTS.contains(&name),
        _ => false,
    };
    if allowed && function {
        return Ok(());
    }
    let import = crate::stdio::shorten(&format!("{module}.{name}").escape_debug().to_string(), 80);
    let hint = match module {
        "wasi_unstable" => " (that is WASI preview 0; a newer build of it may import preview 1)",
        "env" => " (that is a program's own environment, such as Emscripten's; look for a build for WASI)",
        _ => "",
    };
    Err(format!("it imports {import}{hint}, and a command may import functions of WASI preview 1 alone"))
}

fn check_exports(exports: &[(String, ExternalKind, u32)]) -> Result<(), String> {
    let has = |name: &str, kind| exports.iter().any(|(export, found, _)| export == name && *found == kind);
    if !has(START, ExternalKind::Func) {
        let hint = if has("_initialize", ExternalKind::Func) { "; it is a library for another program" } else { "" };
        return Err(format!("it does not export the function `{START}`, by which a command is entered{hint}"));
    }
    if !has("memory", ExternalKind::Memory) {
        return Err("it does not export its `memory`".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
