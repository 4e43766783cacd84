//! `glovebox backup` and `glovebox restore`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Done, Failure};
use crate::backup::List;
use crate::config::Config;

#[derive(Args)]
pub(crate) struct BackupArgs {
    /// New directory for the backup
    to: PathBuf,
}

#[derive(Args)]
pub(crate) struct RestoreArgs {
    /// Directory of a backup
    from: PathBuf,
}

pub(super) fn backup(config: &Config, args: &BackupArgs) -> Done {
    let list =
        crate::backup::backup(&config.data_dir, &args.to).map_err(|error| Failure::ours(format!("{error:#}")))?;
    say("backed up", &list, &args.to.display().to_string());
    Ok(ExitCode::SUCCESS)
}

pub(super) fn restore(config: &Config, args: &RestoreArgs) -> Done {
    let list =
        crate::backup::restore(&args.from, &config.data_dir).map_err(|error| Failure::ours(format!("{error:#}")))?;
    say("restored", &list, &config.data_dir.display().to_string());
    Ok(ExitCode::SUCCESS)
}

fn say(what: &str, list: &List, to: &str) {
    let bytes: u64 = list.files.values().map(|entry| entry.size).sum();
    let (files, mib) = (list.files.len(), bytes.div_ceil(1 << 20));
    super::out::print(&format!(
        "{what} {files} files, {mib} MiB, as of {} to {to}; each was checked by its hash\n",
        list.created_at
    ));
    if let Some(objects) = &list.objects {
        super::out::print(&format!("contents of files and artifacts are not in it: they stay in {objects}\n"));
    }
}
