//! Runs one guest program in WebAssembly, under limits. Has never heard of tenants, HTTP or models.
//!
//! An [`Image`] is an interpreter compiled to WASI preview 1, prepared once: compiled ahead of time
//! and warmed up, with its memory saved. A [`Job`] names an image, a program, a workspace directory
//! and [`Limits`]; [`run`] gives it a fresh instance of the image, whose memory is a copy-on-write
//! mapping of the saved one, and returns an [`Outcome`].
//!
//! ```
//! use glovebox_runtime::{ImageSource, ImageStore, Job, Limits, Mode, Program, run};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let python_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images/python");
//! # let cache = std::env::var("GLOVEBOX_CACHE_DIR").map(Into::into);
//! # let cache = cache.unwrap_or_else(|_| std::env::temp_dir().join("glovebox-doctest"));
//! # let workspace = tempfile::tempdir()?;
//! let images = ImageStore::new(vec![ImageSource::Dir(python_dir.into())], &cache)?;
//! # tokio::task::spawn_blocking(move || -> Result<_, glovebox_runtime::RunError> {
//! images.prepare("python", &mut |step| eprintln!("{}", step.message))?;
//! # Ok(images) }).await??;
//! # let images = ImageStore::new(vec![ImageSource::Dir(python_dir.into())], &cache)?;
//! let python = images.load("python")?;
//! let job = Job {
//!     image: "python".into(),
//!     program: Program { source: "print(6 * 7)".into(), ..Program::default() },
//!     workspace: workspace.path().into(),
//!     limits: Limits { memory_mib: 512, ..Limits::default() },
//!     mode: Mode::Deterministic,
//!     seed: None,
//! };
//! let outcome = run(&python, &job, &mut |_event| {}, &Default::default()).await?;
//! assert_eq!(outcome.stdout, "42\n");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/judge.rs` has a pool of threads that judge programs by what they print.

mod artifact;
mod cache;
mod clock;
mod command;
mod engine;
mod error;
mod event;
mod guest;
mod handles;
mod image;
mod interrupt;
mod job;
mod layer;
mod ledger;
mod limits;
mod memory;
mod meter;
mod module;
mod mount;
mod outcome;
mod pages;
mod policy;
mod prepare;
mod run;
mod service;
mod session;
mod stdio;
mod wasi;

pub use artifact::{hex, sniff};
pub use command::CommandLine;
pub use error::RunError;
pub use event::{Event, EventBody};
pub use image::{Image, ImageInfo, ImageSource, ImageState, ImageStore, Kind, Manifest};
pub use job::{Echo, Job, Mode, Program};
pub use layer::{LayerError, LayerInfo, check_layer, compress_layer, inspect_layer};
pub use limits::{Limits, OutputOverflow};
pub use outcome::{Artifact, Clock, Display, Ending, Lineage, Outcome, Timing, Usage};
pub use pages::open_pagemap;
pub use policy::{JAIL, Policies, Policy, QUOTAS, Quota, limit_names, nearest};
pub use prepare::Progress;
pub use run::{WORKSPACE, run, run_with};
pub use service::{Answer, Answering, Room, Services};
pub use session::Session;
pub use tokio_util::sync::CancellationToken;
