//! Commands made here, instruction by instruction: what is accepted, what is refused, and how they run.

use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, DataCountSection, DataSection, EntityType, Function, FunctionSection,
    ImportSection, MemArg, MemorySection, MemoryType, Module, StartSection, TypeSection, ValType,
};

use super::*;
use crate::{ImageSource, ImageStore, Job, Mode, Outcome, run};

/// What differs between the modules of these tests.
#[derive(Clone, Copy, Default)]
struct Parts {
    import: Option<(&'static str, &'static str)>,
    start_export: Option<&'static str>,
    start_section: bool,
    passive: bool,
    far_data: bool,
    shared: bool,
}

fn module(parts: Parts) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    module.section(&types);
    let mut imports = ImportSection::new();
    let count = parts.import.map_or(0, |(from, name)| {
        imports.import(from, name, EntityType::Function(0));
        1
    });
    module.section(&imports);
    let mut functions = FunctionSection::new();
    functions.function(0);
    module.section(&functions);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: Some(4),
        memory64: false,
        shared: parts.shared,
        page_size_log2: None,
    });
    module.section(&memories);
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export(parts.start_export.unwrap_or(START), ExportKind::Func, count);
    module.section(&exports);
    if parts.start_section {
        module.section(&StartSection { function_index: count });
    }
    module.section(&DataCountSection { count: 1 });
    let mut code = CodeSection::new();
    let mut body = Function::new([]);
    if parts.passive {
        body.instructions().i32_const(8).i32_const(0).i32_const(4).memory_init(0, 0);
    }
    body.instructions().end();
    code.function(&body);
    module.section(&code);
    let mut data = DataSection::new();
    if parts.passive {
        data.passive(*b"data");
    } else {
        data.active(0, &ConstExpr::i32_const(if parts.far_data { 65_534 } else { 16 }), *b"data");
    }
    module.section(&data);
    module.finish()
}

fn refused(parts: Parts) -> String {
    split(&module(parts)).err().expect("it is refused")
}

#[test]
fn constant_data_becomes_the_initial_memory() {
    let parts = split(&module(Parts::default())).expect("a command");
    assert_eq!((parts.data, parts.memory_min), (vec![(16, b"data".to_vec())], WASM_PAGE));
    assert!(parts.code.len() < module(Parts::default()).len());
}

#[test]
fn data_that_code_lays_out_stays_with_the_code() {
    let parts = Parts { passive: true, ..Parts::default() };
    let found = split(&module(parts)).expect("a command");
    assert!(found.data.is_empty());
    assert_eq!(found.code, module(parts));
}

#[test]
fn a_start_function_is_left_for_a_call_under_limits() {
    let code = split(&module(Parts { start_section: true, ..Parts::default() })).expect("a command").code;
    let (mut starts, mut names) = (0, Vec::new());
    for payload in Parser::new(0).parse_all(&code) {
        match payload.expect("a module") {
            Payload::StartSection { .. } => starts += 1,
            Payload::ExportSection(exports) => {
                names.extend(exports.into_iter().map(|export| export.expect("an export").name.to_owned()));
            }
            _ => {}
        }
    }
    assert_eq!((starts, names), (0, ["memory", START, INITIALIZE].map(str::to_owned).to_vec()));
}

#[test]
fn what_breaks_the_rules_is_refused_by_name() {
    let import = |from, name| refused(Parts { import: Some((from, name)), ..Parts::default() });
    assert!(import("env", "system").contains("it imports env.system"));
    assert!(import("wasi_unstable", "fd_write").contains("preview 0"));
    assert!(import("glovebox", "secret").contains("it imports glovebox.secret"));
    assert!(!import("js", "\u{1b}[2J").contains('\u{1b}'));
    assert!(import("js", "long".repeat(500).leak()).len() < 250);
    let library = Parts { start_export: Some("_initialize"), ..Parts::default() };
    assert!(refused(library).contains("library"));
    assert!(refused(Parts { far_data: true, ..Parts::default() }).contains("does not fit"));
    assert!(refused(Parts { shared: true, ..Parts::default() }).contains("unshared"));
    assert!(split(b"\0asm\x0d\0\x01\0").err().is_some_and(|error| error.contains("component")));
    assert!(split(b"hello").is_err() && split(b"").is_err());
}

#[test]
fn a_cut_or_changed_module_is_an_error_or_a_module_and_never_a_panic() {
    let whole = module(Parts::default());
    for length in 0..whole.len() {
        let _ = split(&whole[..length]);
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0xff;
        let _ = split(&changed);
    }
}

#[test]
fn a_command_line_is_filled_in() {
    let line = |argv: &[&str]| CommandLine { argv: argv.iter().map(|&text| text.to_owned()).collect() };
    let full = line(&["ruby", "-W0", "--file={script}", "{args}", "end"]);
    assert_eq!(full.check(), Ok(()));
    let args = ["a b".to_owned(), "{script}".to_owned()];
    assert_eq!(full.expand("/program/x.rb", &args), ["ruby", "-W0", "--file=/program/x.rb", "a b", "{script}", "end"]);
    assert!(line(&["{script}"]).check().is_err());
    assert!(line(&[]).check().is_err());
    assert!(line(&["ruby", "{script}", "x{args}"]).check().is_err());
    assert!(line(&["ruby", "{script}\0"]).check().is_err());
}

#[test]
fn a_program_is_placed_in_its_directory_whatever_its_name_is() {
    let line = CommandLine { argv: vec!["x".into(), "{script}".into()] };
    for (name, expected) in [
        ("hello.rb", "/program/hello.rb"),
        ("../../etc/passwd", "/program/passwd"),
        ("..", "/program/main.rb"),
        ("a\\b.rb", "/program/b.rb"),
        ("", "/program/main.rb"),
        ("a\0b", "/program/main.rb"),
    ] {
        let program = Program { source: "1".into(), filename: Some(name.into()), ..Program::default() };
        let placed = Placed::new(&line, &program, "main.rb").expect("placed");
        assert_eq!(placed.argv[1], expected, "{name:?}");
    }
    let long = Program { filename: Some("x".repeat(5_000)), ..Program::default() };
    assert_eq!(Placed::new(&line, &long, "main.rb").expect("placed").argv[1], "/program/main.rb");
}

/// Lays its data out by a start function, as modules with passive segments do, and prints it from `_start`.
/// With `endless`, the start function never returns.
fn late_printer(endless: bool) -> Vec<u8> {
    const TEXT: [u8; 10] = *b"from data\n";
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32; 4], [ValType::I32]);
    module.section(&types);
    let mut imports = ImportSection::new();
    imports.import("wasi_snapshot_preview1", "fd_write", EntityType::Function(1));
    module.section(&imports);
    let mut functions = FunctionSection::new();
    functions.function(0).function(0);
    module.section(&functions);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    module.section(&memories);
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export(START, ExportKind::Func, 2);
    module.section(&exports);
    module.section(&StartSection { function_index: 1 });
    module.section(&DataCountSection { count: 1 });
    let mut code = CodeSection::new();
    let mut start = Function::new([]);
    if endless {
        start.instructions().loop_(BlockType::Empty).br(0).end();
    }
    start.instructions().i32_const(64).i32_const(0).i32_const(10).memory_init(0, 0).end();
    code.function(&start);
    let mut main = Function::new([]);
    let word = MemArg { offset: 0, align: 2, memory_index: 0 };
    main.instructions().i32_const(0).i32_const(64).i32_store(word).i32_const(4).i32_const(10).i32_store(word);
    main.instructions().i32_const(1).i32_const(0).i32_const(1).i32_const(8).call(0).drop().end();
    code.function(&main);
    module.section(&code);
    let mut data = DataSection::new();
    data.passive(TEXT);
    module.section(&data);
    module.finish()
}

/// Prepares a module as an image and runs it, with an empty program.
fn prepare_and_run(wasm: &[u8], limits: Limits) -> Result<Outcome, RunError> {
    let root = tempfile::tempdir().expect("a directory");
    let (dir, cache, workspace) = (root.path().join("image"), root.path().join("cache"), root.path().join("data"));
    for made in [&dir, &workspace] {
        std::fs::create_dir(made).expect("made");
    }
    std::fs::write(dir.join("m.wasm"), wasm).expect("written");
    let toml = "name = 'm'\nversion = '1'\nlanguage = 'none'\nkind = 'command'\nsummary = 'A test.'\nlicence = 'MIT'\n\
                filename = 'main'\nmin_memory_mib = 1\n[module]\nfile = 'm.wasm'\n[command]\nargv = ['m', '{script}']\n";
    std::fs::write(dir.join("image.toml"), toml).expect("written");
    let images = ImageStore::new(vec![ImageSource::Dir(dir)], &cache)?;
    images.prepare("m", &mut |_| {})?;
    let image = images.load("m")?;
    let job = Job {
        image: "m".into(),
        program: Program::default(),
        workspace,
        limits,
        mode: Mode::Deterministic,
        seed: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    runtime.block_on(run(&image, &job, &mut |_| {}, &Default::default()))
}

#[test]
fn a_module_that_lays_out_its_own_data_runs_as_any_other() {
    let outcome = prepare_and_run(&late_printer(false), Limits::default()).expect("it runs");
    assert_eq!((outcome.ending, outcome.stdout.as_str()), (Ending::Exited { code: 0 }, "from data\n"));
}

#[test]
fn a_start_function_without_end_meets_the_limits() {
    let outcome = prepare_and_run(&late_printer(true), Limits { fuel: 100_000_000, ..Limits::default() });
    assert_eq!(outcome.expect("it runs").ending, Ending::OutOfFuel);
}

#[test]
fn what_only_its_types_tell_is_refused_when_it_is_prepared() {
    let import = Parts { import: Some(("wasi_snapshot_preview1", "sock_open")), ..Parts::default() };
    let error = prepare_and_run(&module(import), Limits::default()).expect_err("it is refused");
    assert!(error.to_string().contains("sock_open"), "{error}");
    let import = Parts { import: Some(("wasi_snapshot_preview1", "fd_write")), ..Parts::default() };
    let error = prepare_and_run(&module(import), Limits::default()).expect_err("it is refused");
    assert!(error.to_string().contains("fd_write"), "{error}");
}

#[test]
fn a_command_that_starts_larger_than_its_limit_is_refused_by_name() {
    let error = prepare_and_run(&late_printer(false), Limits { memory_mib: 0, ..Limits::default() });
    assert!(error.expect_err("it is refused").to_string().contains("memory_mib"));
}
