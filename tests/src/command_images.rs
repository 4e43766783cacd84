//! WASI commands as images: how one runs, what it cannot do, and how images are added and removed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use glovebox_runtime::{Clock, Ending, Image, ImageSource, ImageStore, Job, Limits, Mode, Outcome, Session, hex, run};
use glovebox_tests::{Server, cache, command, here, job};
use serde_json::json;
use sha2::{Digest, Sha256};

/// `tests/commands/tool.rs`, compiled for WASI: it does what its program's lines say.
fn tool() -> &'static [u8] {
    static TOOL: OnceLock<Vec<u8>> = OnceLock::new();
    TOOL.get_or_init(|| {
        let out = tempfile::tempdir().expect("a directory");
        let wasm = out.path().join("tool.wasm");
        let built = Command::new("rustc")
            .args(["--target", "wasm32-wasip1", "--edition", "2024", "-O", "-C", "strip=symbols", "-o"])
            .arg(&wasm)
            .arg("commands/tool.rs")
            .current_dir(here())
            .status();
        assert!(built.expect("rustc starts").success());
        std::fs::read(wasm).expect("it was compiled")
    })
}

const IMAGE_TOML: &str = r#"
name = "tool"
version = "1"
language = "tool"
kind = "command"
summary = "Does what its program says."
licence = "Apache-2.0"
filename = "main.tool"
min_memory_mib = 8
[module]
file = "tool.wasm"
[command]
argv = ["tool", "{script}", "--", "{args}"]
[env]
FROM_IMAGE = "yes"
"#;

/// A directory with the tool as an image, its description changed by `change`.
fn image_dir(change: impl FnOnce(String) -> String) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("image.toml"), change(IMAGE_TOML.to_owned())).expect("written");
    std::fs::write(dir.path().join("tool.wasm"), tool()).expect("written");
    dir
}

fn loaded() -> Arc<Image> {
    static LOADED: OnceLock<Arc<Image>> = OnceLock::new();
    let load = || {
        let dir = image_dir(|toml| toml);
        let store = ImageStore::new(vec![ImageSource::Dir(dir.path().into())], &cache()).expect("the store opens");
        store.prepare("tool", &mut |_| {}).expect("it prepares");
        store.load("tool").expect("it loads")
    };
    LOADED.get_or_init(load).clone()
}

fn execute(job: &Job) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    runtime.block_on(run(&loaded(), job, &mut |_| {}, &Default::default())).expect("the runtime does its part")
}

/// Runs a program of the tool in a fresh workspace.
fn check(source: &str, limits: Limits) -> Outcome {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut job = job("tool", source, workspace.path());
    job.limits = limits;
    execute(&job)
}

#[test]
fn a_command_gets_its_program_arguments_environment_and_input() {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut job =
        job("tool", "args\nenv FROM_IMAGE\nenv MINE\nstdin\nlist /program\ncomplain to stderr", workspace.path());
    job.program.filename = Some("some/dir/my prog.tool".into());
    job.program.args = vec!["a b".into(), "{script}".into()];
    job.program.env.insert("MINE".into(), "too".into());
    job.program.stdin = "typed".into();
    let outcome = execute(&job);
    let expected = "[\"tool\", \"/program/my prog.tool\", \"--\", \"a b\", \"{script}\"]\nOk(\"yes\")\nOk(\"too\")\ntyped\n[\"my prog.tool\"]\n";
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (expected, "to stderr\n"));
    assert_eq!(outcome.ending, Ending::Exited { code: 0 });
    assert!(
        std::fs::read_dir(workspace.path()).expect("listed").next().is_none(),
        "the program is not in the workspace"
    );
}

#[test]
fn relative_paths_and_the_workspace_are_the_same_and_what_is_new_is_an_artifact() {
    let workspace = tempfile::tempdir().expect("a directory");
    std::fs::write(workspace.path().join("in.txt"), "given").expect("written");
    let source = "read in.txt\nread /mnt/data/in.txt\nwrite a.txt one\nmkdir sub\nwrite /mnt/data/sub/b.txt two\nread sub/b.txt\nwrite /tmp/t x\nlist .";
    let outcome = execute(&job("tool", source, workspace.path()));
    assert_eq!(outcome.stdout.matches("\"given\"").count(), 2, "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("[\"a.txt\", \"in.txt\", \"sub\"]\n"), "{}", outcome.stdout);
    let artifacts: Vec<_> = outcome.artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
    assert_eq!(artifacts, ["a.txt", "sub/b.txt"]);
    assert_eq!(std::fs::read_to_string(workspace.path().join("a.txt")).ok().as_deref(), Some("one"));
}

#[test]
fn each_end_of_a_command_has_its_name() {
    let ending = |source, limits| check(source, limits).ending;
    let usual = Limits::default;
    assert_eq!(ending("exit 7", usual()), Ending::Exited { code: 7 });
    assert_eq!(ending("exit 255", usual()), Ending::Exited { code: 255 });
    assert_eq!(ending("exit 300", usual()), Ending::Exited { code: 44 });
    assert!(matches!(ending("panic now", usual()), Ending::Trapped { .. }));
    assert_eq!(ending("spin", Limits { fuel: 50_000_000, ..usual() }), Ending::OutOfFuel);
    let brief = Limits { wall_time_ms: 300, ..usual() };
    assert_eq!(ending("sleep 60000", brief.clone()), Ending::OutOfTime { clock: Clock::Wall });
    assert_eq!(ending("spin", brief), Ending::OutOfTime { clock: Clock::Wall });
    assert_eq!(ending("grow 64", Limits { memory_mib: 32, ..usual() }), Ending::OutOfMemory);
    assert_eq!(ending("grow 16", Limits { memory_mib: 32, ..usual() }), Ending::Exited { code: 0 });
}

#[test]
fn what_was_produced_before_a_limit_is_kept_and_refusals_are_told() {
    let outcome = check("print before\nwrite kept.txt x\nspin", Limits { fuel: 50_000_000, ..Limits::default() });
    assert_eq!((outcome.stdout.as_str(), outcome.artifacts.len()), ("before\nwrite kept.txt: ()\n", 1));
    let refused = |source, limits, named: &str| {
        let outcome = check(source, limits);
        assert!(!outcome.ending.is_success(), "{outcome:?}");
        assert!(outcome.warnings.iter().any(|warning| warning.contains(named)), "{:?}", outcome.warnings);
    };
    refused("try-grow 64", Limits { memory_mib: 32, ..Limits::default() }, "memory_mib");
    refused("fill big 3", Limits { workspace_mib: 1, ..Limits::default() }, "workspace_mib");
    refused("fill /big 3", Limits { workspace_mib: 1, ..Limits::default() }, "workspace_mib");
    assert!(check("exit 5", Limits::default()).warnings.is_empty());
    let outcome = check("flood 100", Limits { output_kib: 8, ..Limits::default() });
    assert!(outcome.output_truncated && outcome.stdout.len() < 9 << 10 && outcome.ending.is_success());
    let outcome = check("write f x\nopen f 50", Limits { open_handles: 20, ..Limits::default() });
    assert!(outcome.stdout.contains("open, then"), "{}", outcome.stdout);
}

#[test]
fn a_command_reaches_nothing_but_what_it_was_handed() {
    let outside = tempfile::tempdir().expect("a directory");
    let workspace = outside.path().join("workspace");
    std::fs::create_dir(&workspace).expect("made");
    std::fs::write(outside.path().join("secret"), "canary").expect("written");
    std::os::unix::fs::symlink(outside.path().join("secret"), workspace.join("link")).expect("made");
    std::os::unix::fs::symlink("../secret", workspace.join("climb")).expect("made");
    let source = format!(
        "read /etc/passwd\nread ../secret\nread /mnt/data/../../secret\nread {}\nread link\nread climb\nwrite climb x\n\
         write ../new x\nwrite /program/new x\nremove /program/main.tool\nwrite /dev/sda x\nlink main.tool two\n\
         read /proc/self/environ\nmkdir ../dir\nrename climb ../moved\nread /program/main.tool",
        outside.path().join("secret").display()
    );
    let outcome = execute(&job("tool", &source, &workspace));
    let lines: Vec<_> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 16, "{}", outcome.stdout);
    // The last one alone is the command's to read.
    let (last, refused) = lines.split_last().expect("not empty");
    assert!(last.starts_with("read /program/main.tool: \""), "{last}");
    assert!(refused.iter().all(|line| !line.ends_with(": ()") && !line.contains(": \"")), "{}", outcome.stdout);
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).ok().as_deref(), Some("canary"));
    let mut left: Vec<_> =
        std::fs::read_dir(outside.path()).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["secret", "workspace"]);
}

#[test]
fn no_run_of_a_command_sees_another() {
    for _ in 0..20 {
        let outcome = check("count\nread /tmp/left\nwrite /tmp/left x", Limits::default());
        assert!(outcome.stdout.starts_with("run 1\nread /tmp/left: NotFound\n"), "{}", outcome.stdout);
    }
}

#[test]
fn a_deterministic_run_of_a_command_is_the_same_again() {
    let source = "time\nrandom\nwrite out.txt x\nlist .\nprint done";
    let again = |mode| {
        let workspace = tempfile::tempdir().expect("a directory");
        for name in ["c", "a", "b"] {
            std::fs::write(workspace.path().join(name), name).expect("written");
        }
        execute(&Job { mode, ..job("tool", source, workspace.path()) })
    };
    assert_eq!(again(Mode::Deterministic), again(Mode::Deterministic));
    assert_ne!(again(Mode::Live).stdout, again(Mode::Live).stdout);
}

#[test]
fn a_command_takes_no_turns() {
    let (workspace, scratch) = (tempfile::tempdir().expect("made"), tempfile::tempdir().expect("made"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    let job = job("tool", "print x", workspace.path());
    let opened = runtime.block_on(Session::open(&loaded(), &job, scratch.path()));
    assert!(opened.err().is_some_and(|error| error.to_string().contains("no sessions")));
}

/// `glovebox` with a data directory of its own.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().expect("a directory"))
    }

    fn glovebox(&self, args: &[&str]) -> Output {
        command().args(["--data-dir"]).arg(self.0.path()).args(args).output().expect("it starts")
    }

    fn succeeds(&self, args: &[&str]) -> String {
        let output = self.glovebox(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Fails with this exit code, says all of `words`, and leaves the images as they were.
    fn refuses(&self, args: &[&str], code: i32, words: &[&str]) {
        let before = self.images();
        let output = self.glovebox(args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
        assert_eq!(self.images(), before, "{args:?}");
    }

    /// Every file of the added images, with its content's hash.
    fn images(&self) -> Vec<(PathBuf, String)> {
        fn walk(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push((path.clone(), hex(&Sha256::digest(std::fs::read(&path).expect("readable")))));
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0.path().join("images"), &mut found);
        found.retain(|(path, _)| !path.ends_with(".lock"));
        found.sort();
        found
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn a_directory_with_a_command_is_added_run_and_removed() {
    let (home, dir) = (Home::new(), image_dir(|toml| toml));
    home.succeeds(&["image", "add", text(dir.path())]);
    assert!(home.succeeds(&["image", "ls"]).contains("tool"));
    assert!(home.succeeds(&["image", "inspect", "tool"]).contains("one program at a time"));
    let script = home.0.path().join("hello.tool");
    std::fs::write(&script, "read numbers.csv\nwrite result.txt done\nargs\nexit 3").expect("written");
    let data = home.0.path().join("numbers.csv");
    std::fs::write(&data, "1,2").expect("written");
    let out = home.0.path().join("out");
    let output =
        home.glovebox(&["run", "--image", "tool", "--file", text(&data), "--out", text(&out), text(&script), "x"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\"1,2\"") && said.contains("/program/hello.tool"), "{said}");
    assert_eq!(std::fs::read_to_string(out.join("result.txt")).ok().as_deref(), Some("done"));
    home.refuses(&["image", "add", text(dir.path())], 2, &["already", "--force"]);
    home.succeeds(&["image", "add", "--force", "--no-prepare", text(dir.path())]);
    home.succeeds(&["image", "rm", "tool"]);
    assert!(home.images().is_empty());
    for name in ["tool", "python", "../images", ".", ""] {
        home.refuses(&["image", "rm", name], 2, &["no image"]);
    }
}

#[test]
fn an_image_that_breaks_the_rules_is_not_added_and_the_rule_is_named() {
    let home = Home::new();
    let refused = |change: fn(String) -> String, words: &[&str]| {
        let dir = image_dir(change);
        home.refuses(&["image", "add", text(dir.path())], 2, words);
    };
    refused(|toml| toml.replace("name = \"tool\"", "name = \"../tool\""), &["plain name"]);
    refused(|toml| toml.replace("tool.wasm", "../tool.wasm"), &["plain name"]);
    refused(|toml| toml.replace("tool.wasm", "other.wasm"), &["other.wasm"]);
    refused(|toml| toml.replace("\"{script}\", ", ""), &["{script}"]);
    refused(|toml| toml.replace("[command]", "[comand]"), &["image.toml"]);
    refused(|toml| toml.replace("\"command\"", "\"reactor\""), &["[command] is for kind"]);
    refused(|toml| toml.replace("[env]", &format!("[module2]\nx = '{}'\n[env]", "y")), &["module2"]);
    refused(|toml| toml.replace("wasm\"", &format!("wasm\"\nsha256 = \"{}\"", "0".repeat(64))), &["sha256"]);
    refused(|toml| toml.replace("wasm\"", "wasm\"\nsha256 = \"../../../x\""), &["sha256"]);
    refused(|toml| format!("{toml}\n[[mount]]\nguest_path = \"/tmp/../mnt/data\"\n"), &["guest_path"]);
    refused(|toml| format!("{toml}\n[[mount]]\nguest_path = \"/mnt\"\n"), &["guest_path"]);
    refused(|toml| format!("{toml}\n[[mount]]\nguest_path = \"/program/lib\"\n"), &["guest_path"]);
    for (wasm, words) in [
        (&b"\0asm\x01\0\0\0"[..], ["_start", "nothing was installed"]),
        (b"\0asm\x0d\0\x01\0", ["component", "nothing was installed"]),
        (b"no module", ["not a WebAssembly module", "nothing was installed"]),
        (&tool()[..5_000], ["malformed", "nothing was installed"]),
    ] {
        let dir = image_dir(|toml| toml);
        std::fs::write(dir.path().join("tool.wasm"), wasm).expect("written");
        home.refuses(&["image", "add", text(dir.path())], 2, &words[1..]);
    }
    // What only the compiler finds: everything is taken back.
    let dir = image_dir(|toml| toml);
    let mut broken = tool().to_vec();
    let at = broken.len() / 2;
    broken[at..at + 64].fill(0xff);
    std::fs::write(dir.path().join("tool.wasm"), broken).expect("written");
    let output = home.glovebox(&["image", "add", text(dir.path())]);
    assert!(!output.status.success() && home.images().is_empty());
    assert!(!home.succeeds(&["image", "ls"]).contains("tool"));
    home.refuses(&["image", "add", text(home.0.path())], 2, &["image.toml"]);
    home.refuses(&["image", "add", "./is/not/there"], 2, &["is/not/there"]);
    home.refuses(&["image", "add", "pyton-wasi"], 2, &["did you mean python-wasi?"]);
    home.refuses(&["image", "add"], 2, &["WHAT"]);
}

/// The tool as a registry's package, with a recipe for it.
struct Package {
    dir: tempfile::TempDir,
    recipe: String,
    archive: Vec<u8>,
}

impl Package {
    fn new(registry: &str, archive: Vec<u8>) -> Package {
        let recipe = format!(
            "caveats = ['Mind the gap.']\n[package]\nregistry = '{registry}'\nname = '@glovebox/tool'\nversion = '1.0.0'\n\
             sha256 = '{}'\nbytes = {}\n[[file]]\npath = 'package/dist/tool.wasm'\nname = 'tool.wasm'\n\
             sha256 = '{}'\nbytes = {}\n{}",
            hex(&Sha256::digest(&archive)),
            archive.len(),
            hex(&Sha256::digest(tool())),
            tool().len(),
            IMAGE_TOML
                .replacen("\nname", "\n[image]\nname", 1)
                .replace("[module]", "[image.module]")
                .replace("[command]", "[image.command]")
                .replace("[env]", "[image.env]")
        );
        Package { dir: tempfile::tempdir().expect("a directory"), recipe, archive }
    }

    /// Tries to add it from disk; `change` changes the recipe.
    fn add(&self, home: &Home, change: impl FnOnce(&str) -> String) -> Output {
        let (recipe, archive) = (self.dir.path().join("tool.toml"), self.dir.path().join("tool-1.0.0.tgz"));
        std::fs::write(&recipe, change(&self.recipe)).expect("written");
        std::fs::write(&archive, &self.archive).expect("written");
        home.glovebox(&["image", "add", text(&recipe), "--from", text(&archive), "--force"])
    }

    fn refused(&self, home: &Home, change: impl FnOnce(&str) -> String, words: &[&str]) {
        let before = home.images();
        let output = self.add(home, change);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert_eq!(home.images(), before);
    }
}

/// One entry of a tar archive under exactly this name, whatever it would do.
fn entry(tar: &mut tar::Builder<impl Write>, kind: tar::EntryType, name: &str, link: &str, content: &[u8]) {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let ustar = header.as_ustar_mut().expect("just made");
    ustar.name[..name.len()].copy_from_slice(name.as_bytes());
    ustar.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_cksum();
    tar.append(&header, content).expect("appended");
}

fn tgz(entries: &[(tar::EntryType, &str, &str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (kind, name, link, content) in entries {
        entry(&mut tar, *kind, name, link, content);
    }
    tar.into_inner().and_then(|gzip| gzip.finish()).expect("finished")
}

const WANTED: &str = "package/dist/tool.wasm";

#[test]
fn a_package_is_added_from_its_archive_and_only_the_pinned_one() {
    let home = Home::new();
    let file = tar::EntryType::Regular;
    let package = Package::new("npm", tgz(&[(file, "package/README.md", "", b"read me"), (file, WANTED, "", tool())]));
    let output = package.add(&home, str::to_owned);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("Mind the gap.") && said.contains("Apache-2.0"), "{said}");
    let files: Vec<_> = home.images().into_iter().map(|(path, _)| path).collect();
    let place = home.0.path().join("images/tool");
    assert_eq!(files, [place.join("image.toml"), place.join("tool.wasm")]);
    let script = home.0.path().join("s.tool");
    std::fs::write(&script, "print from a package").expect("written");
    assert_eq!(home.succeeds(&["run", "--image", "tool", text(&script)]), "from a package\n");

    let right = hex(&Sha256::digest(&package.archive));
    package.refused(&home, |recipe| recipe.replace(&right, &"0".repeat(64)), &["pins", "nothing was installed"]);
    let right = hex(&Sha256::digest(tool()));
    package.refused(&home, |recipe| recipe.replace(&right, &"0".repeat(64)), &["pins", "nothing was installed"]);
    package.refused(&home, |recipe| recipe.replace("dist/tool", "dist/other"), &["no file package/dist/other.wasm"]);
    package.refused(&home, |recipe| recipe.replace("'1.0.0'", "'latest'"), &["exact version"]);
    let wrong = Package { archive: b"not an archive".to_vec(), ..Package::new("npm", b"not an archive".to_vec()) };
    wrong.refused(&home, str::to_owned, &["cannot be unpacked"]);
}

#[test]
fn a_hostile_archive_writes_nothing_and_is_not_followed() {
    let (home, file, link) = (Home::new(), tar::EntryType::Regular, tar::EntryType::Symlink);
    let hostile = Package::new(
        "npm",
        tgz(&[
            (file, "../../escaped", "", b"x"),
            (file, "/tmp/glovebox-escaped", "", b"x"),
            (link, "package", "/etc", b""),
            (link, WANTED, "/etc/passwd", b""),
            (tar::EntryType::Link, WANTED, "/etc/passwd", b""),
        ]),
    );
    hostile.refused(&home, str::to_owned, &["no file"]);
    assert!(!Path::new("/tmp/glovebox-escaped").exists());
    let larger = [tool(), b"more"].concat();
    Package::new("npm", tgz(&[(file, WANTED, "", &larger)])).refused(&home, str::to_owned, &["pins"]);
}

#[test]
fn a_wheel_is_a_package_too() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(WANTED, zip::write::SimpleFileOptions::default()).expect("started");
    zip.write_all(tool()).expect("written");
    let archive = zip.finish().expect("finished").into_inner();
    let (home, package) = (Home::new(), Package::new("pypi", archive));
    let output = package.add(&home, |recipe| recipe.replace("@glovebox/", ""));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(home.images().len(), 2);
}

#[test]
fn without_the_package_manager_the_way_out_is_told() {
    let (home, nowhere) = (Home::new(), tempfile::tempdir().expect("a directory"));
    let add = |path: &Path| {
        let mut command = command();
        command.args(["--data-dir"]).arg(home.0.path()).args(["image", "add", "python-wasi"]).env("PATH", path);
        let output = command.output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = add(nowhere.path());
    assert!(code == Some(2) && said.contains("npm is not on PATH") && said.contains("--from"), "{said}");
    // An npm that fails as one does that is offline, and one that fetches something else.
    let npm = nowhere.path().join("npm");
    let write = |script: &str| {
        std::fs::write(&npm, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&npm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("executable");
    };
    write("echo 'npm error code ENOTFOUND' >&2; exit 1");
    let (code, said) = add(nowhere.path());
    assert!(code == Some(70) && said.contains("ENOTFOUND") && said.contains("--from"), "{said}");
    write("for last; do :; done; echo other > \"${5}/x.tgz\"");
    let (code, said) = add(nowhere.path());
    assert!(code == Some(2) && said.contains("it is not the package that was checked"), "{said}");
    assert!(home.images().is_empty());
}

#[test]
fn a_server_runs_an_added_image_and_names_its_kind() {
    let (home, dir) = (Home::new(), image_dir(|toml| toml));
    home.succeeds(&["image", "add", text(dir.path())]);
    let server = Server::start_in(home.0, &[]);
    let client = server.client();
    let images = client.get("/api/v1/images").json(200);
    let tool = images["images"].as_array().and_then(|images| images.iter().find(|image| image["name"] == "tool"));
    assert_eq!(tool.map(|image| &image["kind"]), Some(&json!("command")), "{images}");
    let body = json!({ "image": "tool", "code": "print over HTTP\nwrite made.txt x", "args": ["a"] });
    let run = client.post("/api/v1/runs", &body).json(201);
    assert_eq!(run["outcome"]["stdout"], "over HTTP\nwrite made.txt: ()\n", "{run}");
    assert_eq!(run["artifacts"][0]["path"], "made.txt", "{run}");
}
