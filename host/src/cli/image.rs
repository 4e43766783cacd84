//! `glovebox image`: list, prepare, inspect, add and remove guest images.

use std::process::ExitCode;

use clap::Subcommand;
use glovebox_runtime::Kind;

use super::image_add::{self, AddArgs};
use super::out::{self, Progress};
use super::sample::grid;
use super::{Done, Failure};
use crate::app::{ImageInfo, ImageState};
use crate::backend::Images;
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum ImageCommand {
    /// List the images
    Ls {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Compile and warm up images; all of them if none is named
    Prepare {
        /// Names
        names: Vec<String>,
    },
    /// Install an image from the catalogue, or one of your own
    Add(AddArgs),
    /// Remove an image that was added
    Rm {
        /// Its name
        name: String,
    },
    /// Show everything about an image
    Inspect {
        /// Its name
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn image(config: &Config, command: ImageCommand) -> Done {
    let open = || Images::open(config).map_err(Failure::ours);
    match command {
        ImageCommand::Add(args) => return image_add::add(config, &args),
        ImageCommand::Rm { name } => return image_add::rm(config, &name),
        ImageCommand::Ls { json: true } => out::print_json(&open()?.list())?,
        ImageCommand::Ls { json: false } => {
            let mut rows = vec![["image", "version", "language", "state", "detail"].map(str::to_owned)];
            rows.extend(open()?.list().into_iter().map(|image| {
                [
                    image.name,
                    image.version,
                    image.language,
                    state(image.state).to_owned(),
                    image.detail.unwrap_or_default(),
                ]
            }));
            out::print(&grid(&rows));
        }
        ImageCommand::Prepare { names } => {
            let images = open()?;
            let all = || images.list().into_iter().map(|image| image.name).collect();
            let names: Vec<String> = if names.is_empty() { all() } else { names };
            for name in names {
                find(&images, &name)?;
                let mut progress = Progress::new();
                images.prepare(&name, &mut |step| progress.step(&step)).map_err(Failure::ours)?;
                progress.end();
                eprintln!("image {name} is ready");
            }
        }
        ImageCommand::Inspect { name, json } => {
            let image = find(&*open()?, &name)?;
            if json {
                out::print_json(&image)?;
            } else {
                let mut text = format!(
                    "{} {} ({}, {})\n{}\nstate: {}{}\n",
                    image.name,
                    image.version,
                    image.language,
                    kind(image.kind),
                    image.summary,
                    state(image.state),
                    image.detail.map(|detail| format!(", {detail}")).unwrap_or_default()
                );
                let rows: Vec<_> = image.packages.into_iter().map(|(name, version)| [name, version]).collect();
                if !rows.is_empty() {
                    text.push_str(&format!("packages:\n{}", grid(&rows)));
                }
                out::print(&text);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn find(images: &Images, name: &str) -> Result<ImageInfo, Failure> {
    let known = images.list();
    let names = known.iter().map(|image| image.name.clone()).collect::<Vec<_>>().join(", ");
    let found = known.into_iter().find(|image| image.name == name);
    found.ok_or_else(|| Failure::usage(format!("unknown image `{name}` (there are: {names})")))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Reactor => "takes turns",
        Kind::Command => "one program at a time",
    }
}

pub(super) fn state(state: ImageState) -> &'static str {
    match state {
        ImageState::Ready => "ready",
        ImageState::Preparing => "preparing",
        ImageState::Missing => "missing",
        ImageState::Failed => "failed",
    }
}
