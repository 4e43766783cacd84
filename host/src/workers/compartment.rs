//! Compartments: what keeps one tenant's processes from another's files.
//!
//! All jobs of a pool are beneath one root directory, and each directory in it is a compartment. A worker enters the
//! compartment of its first job and never leaves it, so that whoever breaks out of a guest finds the files of the same
//! compartment, and memory that has held nothing else. The pool has never heard of tenants: `storage` gives each one a
//! directory.

use std::path::{Path, PathBuf};

use glovebox_runtime::RunError;

/// The directory in `root` that a path is beneath.
///
/// # Errors
///
/// It is not beneath the root, or not in one of its directories.
pub(super) fn of(root: &Path, path: &Path) -> Result<PathBuf, RunError> {
    let mut below = path.strip_prefix(root).into_iter().flat_map(Path::components);
    match (below.next(), below.next()) {
        (Some(first @ std::path::Component::Normal(_)), Some(_)) => Ok(root.join(first)),
        _ => Err(RunError::Worker(format!(
            "was given {}, which is not in a directory of {}",
            path.display(),
            root.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_directory_of_the_root_that_it_is_beneath() {
        let root = Path::new("/data/work");
        let of = |path: &str| of(root, Path::new(path)).ok();
        assert_eq!(of("/data/work/local/workspaces/ses_1"), Some("/data/work/local".into()));
        assert_eq!(of("/data/work/local/x"), Some("/data/work/local".into()));
        for path in ["/data/work", "/data/work/local", "/data/worker/a/b", "/data/work/../b/c", "relative/a/b"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
