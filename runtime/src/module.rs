//! Module: splits a guest's binary into code and initial memory, and proves that its memory is its
//! whole state.
//!
//! A saved memory can be put under a fresh instance only if nothing else of the old instance
//! mattered: no table is ever written, no segment is dropped, and no mutable global but the stack
//! pointer exists. [`split`] refuses a module that breaks this.

use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{DataKind, ExternalKind, Operator, Parser, Payload, TypeRef};

use crate::memory::WASM_PAGE;

/// Name under which the code module exports the stack pointer, so that it can be checked to be at rest.
pub(crate) const STACK_POINTER: &str = "__glovebox_stack_pointer";

/// A guest's binary in two parts.
pub(crate) struct Split {
    /// The module without data, names and debug information.
    pub(crate) code: Vec<u8>,
    /// Its active data segments: offset and bytes.
    pub(crate) data: Vec<(usize, Vec<u8>)>,
    /// Declared minimum of its memory in bytes.
    pub(crate) memory_min: usize,
}

/// Imports that a guest may have, besides WASI preview 1.
pub(crate) const GLOVEBOX_IMPORTS: [&str; 2] = ["event", "call"];
/// Exports that a reactor must have.
const REACTOR_EXPORTS: [&str; 4] = ["memory", "gb_warm", "gb_alloc", "gb_turn"];

/// Splits a reactor's binary.
///
/// # Errors
///
/// One sentence on what is wrong: not a module, breaks the contract, or has state outside its memory.
pub(crate) fn split(wasm: &[u8]) -> Result<Split, String> {
    let mut module = wasm_encoder::Module::new();
    let mut data = Vec::new();
    let mut memory_min = None;
    let mut mutable_globals = Vec::new();
    let mut globals_before = 0u32;
    let mut exports: Vec<String> = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.map_err(|error| format!("not a WebAssembly module: {error}"))?;
        match &payload {
            Payload::ImportSection(reader) => {
                for import in reader.clone().into_imports() {
                    let import = import.map_err(text)?;
                    let allowed = match import.module {
                        "wasi_snapshot_preview1" => true,
                        "glovebox" => GLOVEBOX_IMPORTS.contains(&import.name),
                        _ => false,
                    };
                    if !allowed {
                        return Err(format!(
                            "it imports {}.{}, which is not in the contract (guest-images/CONTRACT.md)",
                            import.module, import.name
                        ));
                    }
                    if matches!(import.ty, TypeRef::Global(_)) {
                        globals_before += 1;
                    }
                }
            }
            Payload::MemorySection(reader) => {
                let memories = reader.clone().into_iter().collect::<Result<Vec<_>, _>>().map_err(text)?;
                match memories.as_slice() {
                    [memory] if !memory.shared && !memory.memory64 => {
                        memory_min = Some(usize::try_from(memory.initial).map_err(text)? * WASM_PAGE);
                    }
                    _ => return Err("it must have one unshared 32-bit memory".into()),
                }
            }
            Payload::GlobalSection(reader) => {
                for (index, global) in (globals_before..).zip(reader.clone()) {
                    if global.map_err(text)?.ty.mutable {
                        mutable_globals.push(index);
                    }
                }
            }
            Payload::DataSection(reader) => {
                for segment in reader.clone() {
                    data.push(active_segment(&segment.map_err(text)?)?);
                }
                continue;
            }
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().map_err(text)? {
                    refuse_hidden_state(&operator.map_err(text)?)?;
                }
            }
            Payload::StartSection { .. } => return Err("it has a start function".into()),
            Payload::DataCountSection { .. } | Payload::CustomSection(_) => continue,
            _ => {}
        }
        if let Payload::ExportSection(reader) = &payload {
            let [stack_pointer] = mutable_globals[..] else {
                return Err(format!(
                    "it has {} mutable globals; a saved memory is its whole state only if the stack pointer is the one",
                    mutable_globals.len()
                ));
            };
            let mut section = ExportSection::new();
            for export in reader.clone() {
                let export = export.map_err(text)?;
                exports.push(export.name.to_owned());
                section.export(export.name, export_kind(export.kind)?, export.index);
            }
            section.export(STACK_POINTER, ExportKind::Global, stack_pointer);
            module.section(&section);
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    if let Some(missing) = REACTOR_EXPORTS.iter().find(|name| !exports.iter().any(|export| export == *name)) {
        return Err(format!("it does not export `{missing}` (guest-images/CONTRACT.md)"));
    }
    let memory_min = memory_min.ok_or("it has no memory")?;
    if let Some((offset, _)) = data.iter().find(|(offset, bytes)| offset + bytes.len() > memory_min) {
        return Err(format!("its data segment at {offset} does not fit its memory"));
    }
    Ok(Split { code: module.finish(), data, memory_min })
}

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    format!("malformed module: {error}")
}

pub(crate) fn active_segment(segment: &wasmparser::Data<'_>) -> Result<(usize, Vec<u8>), String> {
    let DataKind::Active { memory_index: 0, offset_expr } = &segment.kind else {
        return Err("it has a passive data segment, which is state outside its memory".into());
    };
    match offset_expr.get_operators_reader().read().map_err(text)? {
        Operator::I32Const { value } => Ok((value.cast_unsigned() as usize, segment.data.to_vec())),
        _ => Err("a data segment's place is not a constant".into()),
    }
}

fn export_kind(kind: ExternalKind) -> Result<ExportKind, String> {
    match kind {
        ExternalKind::Func => Ok(ExportKind::Func),
        ExternalKind::Table => Err("it exports a table, which a host could write".into()),
        ExternalKind::Memory => Ok(ExportKind::Memory),
        ExternalKind::Global => Ok(ExportKind::Global),
        ExternalKind::Tag => Ok(ExportKind::Tag),
        other => Err(format!("it exports a {other:?}")),
    }
}

/// Refuses the instructions that write state which is not in linear memory.
fn refuse_hidden_state(operator: &Operator<'_>) -> Result<(), String> {
    let name = match operator {
        Operator::TableSet { .. } => "table.set",
        Operator::TableGrow { .. } => "table.grow",
        Operator::TableFill { .. } => "table.fill",
        Operator::TableCopy { .. } => "table.copy",
        Operator::TableInit { .. } => "table.init",
        Operator::ElemDrop { .. } => "elem.drop",
        Operator::DataDrop { .. } => "data.drop",
        Operator::MemoryInit { .. } => "memory.init",
        _ => return Ok(()),
    };
    Err(format!("it uses {name}, which makes state outside its memory"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_else_is_not_a_module() {
        assert!(split(b"hello").is_err());
        assert!(split(b"").is_err());
    }

    #[test]
    fn a_module_without_the_contract_is_refused() {
        // (module): magic and version only
        let error = split(b"\0asm\x01\0\0\0").err();
        assert!(error.is_some_and(|text| text.contains("gb_") || text.contains("memory")));
    }
}
