//! Which modules there are: ours and D3's in this binary, the user's in files.

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Exception, Module, Result};

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// Directory that the imports of a turn are relative to.
const WORKSPACE: &str = "/mnt/data";

/// What the memory image has loaded beside [`GUEST`]: a script finds it parsed and evaluated.
pub fn packages() -> impl Iterator<Item = &'static str> {
    VENDOR.iter().map(|(name, _)| *name)
}

/// Scripts taken as turns before the memory is copied.
pub fn first_turns() -> impl Iterator<Item = &'static str> {
    [include_str!("../guest/first_turn.js"), "console.log('x', 1, {a: [1.5]})", "print()"].into_iter()
}

/// Finds the full name of a module.
pub struct Resolve;

impl Resolver for Resolve {
    fn resolve<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> Result<String> {
        if name.starts_with(['.', '/']) {
            let directory = match base.rsplit_once('/') {
                Some((directory, _)) if base.starts_with('/') => directory,
                _ => WORKSPACE,
            };
            let path = if name.starts_with('/') { name.to_owned() } else { format!("{directory}/{name}") };
            return find(ctx, &normal(&path), name, base);
        }
        let plain = name.strip_prefix("node:").unwrap_or(name);
        // Our own modules may have each other; the engine itself asks without a base.
        let ours = plain.starts_with("glovebox:") && (base.is_empty() || base.starts_with("glovebox:"));
        if let Some((known, _)) = GUEST.iter().find(|(known, _)| known.strip_prefix("glovebox:") == Some(plain))
            && NODE.contains(&plain)
        {
            return Ok((*known).to_owned());
        }
        if ours
            || matches!(plain, "glovebox:bind" | "glovebox:standard")
            || VENDOR.iter().any(|(known, _)| *known == plain)
        {
            return Ok(plain.to_owned());
        }
        let have = "there is no network; available are d3 and its modules, and fs, path, util, buffer, os, events, assert, \
                    url, timers/promises, perf_hooks, process";
        Err(Exception::throw_reference(
            ctx,
            &format!("cannot find package '{name}' imported from {}: {have}", shown(base)),
        ))
    }
}

/// Names that Node has too, with or without `node:`.
const NODE: [&str; 14] = [
    "assert",
    "buffer",
    "crypto",
    "events",
    "fs",
    "fs/promises",
    "module",
    "os",
    "path",
    "perf_hooks",
    "process",
    "timers/promises",
    "url",
    "util",
];

fn shown(base: &str) -> &str {
    if base.is_empty() { "the script" } else { base }
}

/// The file of a path, with the endings that may be left out.
fn find(ctx: &Ctx<'_>, path: &str, name: &str, base: &str) -> Result<String> {
    let candidates = ["", ".js", ".mjs", ".json", "/index.js"];
    let found =
        candidates.iter().map(|ending| format!("{path}{ending}")).find(|path| std::path::Path::new(path).is_file());
    found.ok_or_else(|| {
        Exception::throw_reference(ctx, &format!("cannot find module '{name}' imported from {}", shown(base)))
    })
}

/// A path without `.` and `..`.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Gives a module's source.
pub struct Load;

impl Loader for Load {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        attributes: Option<ImportAttributes<'js>>,
    ) -> Result<Module<'js, Declared>> {
        if let Some((_, source)) = GUEST.iter().chain(VENDOR).find(|(known, _)| *known == name) {
            return Module::declare(ctx.clone(), name, *source);
        }
        let text = std::fs::read(name).map_err(|error| Error::new_loading_message(name, error.to_string()))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let kind = attributes.map(|attributes| attributes.get_type()).transpose()?.flatten();
        if kind.as_deref() == Some("json") || name.ends_with(".json") {
            // Parsed as JSON first: JSON is nearly JavaScript, but an error should name it.
            ctx.json_parse(text.as_str())?;
            return Module::declare(ctx.clone(), name, format!("export default {text}"));
        }
        Module::declare(ctx.clone(), name, text)
    }
}
