//! The guest images of this installation: the ones inside the binary, and a directory's.

use std::path::{Path, PathBuf};

use glovebox_runtime::{ImageSource, ImageStore, RunError};

/// Files of the images inside this binary, written by `build.rs`.
static EMBEDDED: &[&[(&str, &[u8])]] = include!(concat!(env!("OUT_DIR"), "/images.rs"));

/// Opens the image store. `images_dir` holds a directory per image; they replace embedded ones of
/// the same name.
///
/// # Errors
///
/// A malformed `image.toml`, an unreadable directory, or a cache that cannot be used.
pub fn open(cache: &Path, images_dir: Option<&Path>) -> Result<ImageStore, RunError> {
    let mut sources: Vec<_> = EMBEDDED.iter().map(|files| ImageSource::Embedded(files)).collect();
    if let Some(dir) = images_dir {
        let failed = |source| RunError::Io { action: "failed to list", path: dir.into(), source };
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // One with a dot is being added.
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if !hidden && entry.path().join("image.toml").is_file() {
                sources.push(ImageSource::Dir(entry.path()));
            }
        }
    }
    ImageStore::new(sources, cache)
}

/// Where prepared images are kept: `GLOVEBOX_CACHE_DIR`, else the user's cache directory.
#[must_use]
pub fn default_cache() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("GLOVEBOX_CACHE_DIR").unwrap_or_else(|| {
        let base = var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
        base.unwrap_or_else(std::env::temp_dir).join("glovebox")
    })
}
