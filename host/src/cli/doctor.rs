//! `glovebox doctor`: checks the machine and says what to do.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use glovebox_runtime::RunError;
use serde::Serialize;

use super::out;
use super::{Done, image};
use crate::app::ImageState;
use crate::backend::Images;
use crate::config::Config;
use crate::jail::Locked;
use crate::storage::Objects;
use crate::workers::{Pool, PoolConfig};

/// Memory that two workers with both images need comfortably, in MiB.
const MEMORY_MIB: u64 = 2048;
/// Room for prepared images and some work, in MiB.
const DISK_MIB: u64 = 3072;

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Check {
    name: String,
    ok: bool,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    what_to_do: Option<String>,
}

impl Check {
    fn new(name: &str, ok: bool, detail: impl Into<String>, what_to_do: &str) -> Check {
        Check { name: name.into(), ok, detail: detail.into(), what_to_do: (!ok).then(|| what_to_do.to_owned()) }
    }
}

pub(super) async fn doctor(config: Config, args: DoctorArgs) -> Done {
    let mut checks = vec![kernel(), memory()];
    checks.push(disk("disk of the data directory", &config.data_dir));
    checks.push(disk("disk of the image cache", &config.cache_dir));
    checks.push(data_dir(&config).await);
    checks.extend(objects(&config).await);
    checks.push(workers(&config).await);
    checks.push(media());
    checks.extend(images(&config));
    let ok = checks.iter().all(|check| check.ok);
    if args.json {
        out::print_json(&checks)?;
    } else {
        let mut text = String::new();
        for check in &checks {
            let mark = if check.ok { "OK   " } else { "WRONG" };
            text.push_str(&format!("{mark}  {}: {}\n", check.name, check.detail));
            if let Some(what) = &check.what_to_do {
                text.push_str(&format!("       → {what}\n"));
            }
        }
        out::print(&text);
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn kernel() -> Check {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let machine = std::env::consts::ARCH;
    let ok = version >= (5, 13) && matches!(machine, "x86_64" | "aarch64");
    Check::new("kernel", ok, format!("Linux {release} on {machine}"), "use Linux 5.13 or newer on x86_64 or aarch64")
}

fn memory() -> Check {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:")?.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let mib = kib.unwrap_or(0) / 1024;
    let what =
        format!("free some memory: {MEMORY_MIB} MiB are comfortable; fewer workers need less (GLOVEBOX_WORKERS=1)");
    Check::new("memory", mib >= MEMORY_MIB, format!("{mib} MiB available"), &what)
}

fn disk(name: &str, path: &Path) -> Check {
    // What does not exist yet will be on the disk of its nearest ancestor.
    let existing = path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let what = format!("free some space: {DISK_MIB} MiB are comfortable");
    match rustix::fs::statvfs(existing) {
        Ok(disk) => {
            let mib = disk.f_bavail.saturating_mul(disk.f_frsize) >> 20;
            Check::new(name, mib >= DISK_MIB, format!("{mib} MiB free at {}", path.display()), &what)
        }
        Err(error) => Check::new(name, false, format!("{}: {error}", existing.display()), "choose another directory"),
    }
}

async fn data_dir(config: &Config) -> Check {
    let name = "data directory";
    if !config.data_dir.exists() {
        return Check::new(name, true, format!("{} will be made", config.data_dir.display()), "");
    }
    match config.open_storage().await {
        Ok(storage) => {
            storage.close().await;
            Check::new(name, true, config.data_dir.display().to_string(), "")
        }
        Err(crate::storage::OpenError::Locked { path }) => {
            Check::new(name, true, format!("{} is in use by a running server", path.display()), "")
        }
        Err(error) => Check::new(name, false, error.to_string(), "see the message"),
    }
}

/// The store of objects, if there is one: something is written to it, read and removed.
async fn objects(config: &Config) -> Option<Check> {
    let address = config.objects.as_deref()?;
    let tried = match Objects::open(address) {
        Ok(objects) => objects.try_out().await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    let what = "look at the address, at AWS_ENDPOINT_URL and AWS_REGION, and at the rights of its key";
    let detail = tried.as_ref().err().map_or_else(|| format!("{address} takes and gives"), Clone::clone);
    Some(Check::new("store of objects", tried.is_ok(), detail, what))
}

/// The jail of the processes that run programs, asked of one that was started for it.
async fn workers(config: &Config) -> Check {
    let name = "jail of the workers";
    let what = "use Linux 6.10 or newer with Landlock enabled (lsm=landlock,… at boot) and user namespaces allowed \
                (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0); \
                root needs to own the data directory and the cache; what is missing is not replaced by anything else";
    match probe(config).await {
        Ok(locked) => Check::new(name, locked.is_full(), locked.to_string(), what),
        Err(error) => Check::new(name, false, error.to_string(), what),
    }
}

async fn probe(config: &Config) -> Result<Locked, RunError> {
    let failed = |error: std::io::Error| RunError::Worker(format!("was not tried: {error}"));
    std::fs::create_dir_all(&config.cache_dir).map_err(failed)?;
    let pool = Pool::start(PoolConfig {
        program: std::env::current_exe().map_err(failed)?,
        workers: 1,
        cache_dir: std::path::absolute(&config.cache_dir).map_err(failed)?,
        images_dir: None,
        preload: Vec::new(),
        root: std::env::temp_dir(),
        spares: 0,
        live_sessions: 1,
    });
    let place = tempfile::tempdir().map_err(failed)?;
    pool.await?.locked(&place.path().join("data")).await
}

/// A build without it is a choice, and not wrong; a jail with holes is.
fn media() -> Check {
    let name = "audio and video";
    match crate::media::check() {
        Ok(check) => {
            let detail = format!("FFmpeg (libavcodec {}); its process: {}", check.ffmpeg, check.jail);
            let what =
                "use Linux 6.10 or newer with Landlock enabled; what is missing is not replaced by anything else";
            Check::new(name, check.jail.is_full(), detail, what)
        }
        Err(error) => Check::new(name, error.kind == "missing", error.to_string(), "see the message"),
    }
}

fn images(config: &Config) -> Vec<Check> {
    match Images::open(config) {
        Ok(images) => images
            .list()
            .into_iter()
            .map(|info| {
                let detail = info.detail.map_or_else(
                    || image::state(info.state).to_owned(),
                    |detail| format!("{}, {detail}", image::state(info.state)),
                );
                let what = format!("run `glovebox image prepare {}`, after what the message asks for", info.name);
                Check::new(&format!("image {}", info.name), info.state == ImageState::Ready, detail, &what)
            })
            .collect(),
        Err(error) => vec![Check::new("images", false, error.to_string(), "see the message")],
    }
}
