//! `glovebox image add` and `rm`: images from the catalogue, from a recipe or from a directory of the user's.
//!
//! An image is put together in a directory of its own, checked as a whole, moved into place and prepared. If any of
//! it fails, everything is as it was before.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use glovebox_runtime::{ImageSource, Manifest, nearest};

use super::out::{self, Progress};
use super::recipe::Recipe;
use super::sample::grid;
use super::{Done, Failure};
use crate::backend::Images;
use crate::config::Config;

#[derive(Args)]
pub(crate) struct AddArgs {
    /// A name of the catalogue, a recipe (./FILE.toml), or a directory with an image.toml (./DIR)
    #[arg(required_unless_present = "list")]
    what: Option<String>,
    /// Show the catalogue
    #[arg(long, conflicts_with_all = ["what", "from", "force", "no_prepare"])]
    list: bool,
    /// Take the package's archive from this file instead of fetching it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Replace an image of the same name
    #[arg(long)]
    force: bool,
    /// Compile it later
    #[arg(long)]
    no_prepare: bool,
}

/// Largest file of a user's image in bytes.
const MAX_FILE: u64 = 1 << 30;
/// Largest `image.toml` or recipe in bytes.
const MAX_TEXT: u64 = 1 << 20;
/// How the directories of unfinished work begin; no image is called so.
const UNFINISHED: &str = ".adding-";

pub(super) fn add(config: &Config, args: &AddArgs) -> Done {
    let Some(what) = &args.what else { return list() };
    let place = Place::open(config)?;
    let draft = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&place.dir).map_err(Failure::ours)?;
    let image = draft.path().join("image");
    fs::create_dir(&image).map_err(Failure::ours)?;
    let path = Path::new(what);
    let manifest = if !what.contains('/') && !matches!(what.as_str(), "." | "..") {
        cook(find(what)?, args, draft.path(), &image, config)?
    } else if path.is_dir() {
        if args.from.is_some() {
            return Err(Failure::usage("--from is the archive of a recipe; a directory has its files"));
        }
        copy(path, &image)?
    } else {
        let parsed = Recipe::parse(&text(path)?);
        let recipe = parsed.map_err(|reason| Failure::usage(format!("{}: {reason}", path.display())))?;
        cook(recipe, args, draft.path(), &image, config)?
    };
    refuse_taken(&manifest.name, args.force, config)?;
    ImageSource::Dir(image.clone())
        .check()
        .map_err(|error| Failure::usage(format!("{error}; nothing was installed")))?;
    place.publish(&manifest, &image, draft.path(), |config| {
        if args.no_prepare {
            return Ok(());
        }
        let images = Images::open(config).map_err(Failure::ours)?;
        let mut progress = Progress::new();
        let prepared = images.prepare(&manifest.name, &mut |step| progress.step(&step));
        prepared.map_err(|error| Failure::ours(format!("{error}; nothing was installed")))
    })?;
    let name = &manifest.name;
    eprintln!(
        "image {name} is installed; `glovebox run --image {name} {}` uses it, a running server after its restart",
        manifest.filename
    );
    Ok(ExitCode::SUCCESS)
}

/// Removes an image that was added, and what was prepared of it.
pub(super) fn rm(config: &Config, name: &str) -> Done {
    let place = Place::open(config)?;
    let dir = place.dir.join(name);
    // A name with a path in it would be another directory.
    if name.contains('/') || name.starts_with('.') || !dir.join("image.toml").is_file() {
        let added = place.added().join(", ");
        let added = if added.is_empty() { "there is none".to_owned() } else { format!("there are: {added}") };
        return Err(Failure::usage(format!("no image `{name}` was added ({added}); those of the binary stay")));
    }
    // Not worth a failure: what stays in the cache takes room and nothing else.
    let _ = Images::open(&place.config).and_then(|images| images.store().forget(name));
    let gone = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&place.dir).map_err(Failure::ours)?;
    fs::rename(&dir, gone.path().join("image")).map_err(Failure::ours)?;
    eprintln!("image {name} is removed");
    Ok(ExitCode::SUCCESS)
}

fn list() -> Done {
    let mut rows = vec![["image", "version", "language", "licence", "from", "summary"].map(str::to_owned)];
    for (recipe, image) in Recipe::catalogue()? {
        rows.push([image.name, image.version, image.language, image.licence, recipe.origin(), image.summary]);
    }
    out::print(&grid(&rows));
    Ok(ExitCode::SUCCESS)
}

fn find(name: &str) -> Result<(Recipe, Manifest), Failure> {
    let mut catalogue = Recipe::catalogue()?;
    if let Some(index) = catalogue.iter().position(|(_, image)| image.name == name) {
        return Ok(catalogue.swap_remove(index));
    }
    let names: Vec<_> = catalogue.iter().map(|(_, image)| image.name.as_str()).collect();
    let meant = nearest(name, &names).map(|name| format!("did you mean {name}? ")).unwrap_or_default();
    Err(Failure::usage(format!(
        "the catalogue has no image `{name}` ({meant}there are: {}); a directory of yours is written ./{name}",
        names.join(", ")
    )))
}

/// Fetches a recipe's package and takes the image's files out of it.
fn cook(
    (recipe, manifest): (Recipe, Manifest),
    args: &AddArgs,
    draft: &Path,
    image: &Path,
    config: &Config,
) -> Result<Manifest, Failure> {
    refuse_taken(&manifest.name, args.force, config)?;
    eprintln!("{} {} from {}", manifest.name, manifest.version, recipe.origin());
    eprintln!("licence: {}", out::tame(&manifest.licence));
    for caveat in &recipe.caveats {
        eprintln!("note: {}", out::tame(caveat));
    }
    let archive = match &args.from {
        Some(file) => file.clone(),
        None => {
            let dir = draft.join("archive");
            fs::create_dir(&dir).map_err(Failure::ours)?;
            let mut progress = Progress::new();
            progress.say("fetching the package");
            recipe.fetch(&dir)?
        }
    };
    recipe.unpack(&archive, image)?;
    write(&image.join("image.toml"), recipe.image_toml().as_bytes())?;
    Ok(manifest)
}

/// Copies a directory's image: its description and the files that this names.
fn copy(from: &Path, image: &Path) -> Result<Manifest, Failure> {
    let description = text(&from.join("image.toml"))?;
    let manifest = Manifest::parse(&description);
    let manifest = manifest.map_err(|reason| Failure::usage(format!("{}: {reason}", from.display())))?;
    write(&image.join("image.toml"), description.as_bytes())?;
    for file in manifest.files() {
        let bytes = read(&from.join(file), MAX_FILE)?;
        write(&image.join(file), &bytes)?;
    }
    Ok(manifest)
}

fn refuse_taken(name: &str, force: bool, config: &Config) -> Result<(), Failure> {
    let images = Images::open(config).map_err(Failure::ours)?;
    if !force && images.list().iter().any(|image| image.name == name) {
        return Err(Failure::usage(format!("there is an image {name} already; --force replaces it")));
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path, MAX_TEXT)?).map_err(|_| Failure::usage(format!("{} is not text", path.display())))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let readable = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
    let file = File::open(path).map_err(readable)?;
    if !file.metadata().map_err(readable)?.is_file() {
        return Err(Failure::usage(format!("{} is not a file", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(readable)?;
    if bytes.len() as u64 > most {
        return Err(Failure::usage(format!("{} is larger than {} MiB", path.display(), most >> 20)));
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::ours(format!("failed to write {}: {error}", path.display())))
}

/// The directory of added images, for one process at a time.
struct Place {
    dir: PathBuf,
    /// The configuration with this directory in it.
    config: Config,
    _lock: File,
}

impl Place {
    fn open(config: &Config) -> Result<Place, Failure> {
        let dir = config.images_dir.clone().unwrap_or_else(|| config.added_images());
        let failed = |error: io::Error| Failure::ours(format!("cannot write into {}: {error}", dir.display()));
        // As the server makes its data directory, in which this one is by default.
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(failed)?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join(".lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        // Whoever left these is gone, or would hold the lock.
        for entry in fs::read_dir(&dir).map_err(failed)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            }
        }
        let config = Config { images_dir: Some(dir.clone()), ..config.clone() };
        Ok(Place { dir, config, _lock: lock })
    }

    /// Moves an image into place and lets `then` use it; if that fails, what was there before comes back.
    fn publish(
        &self,
        manifest: &Manifest,
        image: &Path,
        draft: &Path,
        then: impl FnOnce(&Config) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (place, before) = (self.dir.join(&manifest.name), draft.join("before"));
        let failed = |error: io::Error| Failure::ours(format!("cannot write {}: {error}", place.display()));
        for entry in fs::read_dir(image).map_err(failed)?.flatten() {
            File::open(entry.path()).and_then(|file| file.sync_all()).map_err(failed)?;
        }
        if place.exists() {
            fs::rename(&place, &before).map_err(failed)?;
        }
        let done = fs::rename(image, &place).map_err(failed).and_then(|()| then(&self.config));
        if done.is_err() {
            // The first failure is the one to tell.
            let _ = fs::rename(&place, draft.join("refused"));
            if before.exists() {
                let _ = fs::rename(&before, &place);
            }
        }
        done
    }

    fn added(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let images = entries.filter(|entry| entry.path().join("image.toml").is_file());
        let mut names: Vec<_> = images.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}
