//! `glovebox image`: list, prepare and inspect guest images.

use std::process::ExitCode;

use clap::Subcommand;

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
    let images = Images::open(config).map_err(Failure::ours)?;
    match command {
        ImageCommand::Ls { json: true } => out::print_json(&images.list())?,
        ImageCommand::Ls { json: false } => {
            let mut rows = vec![["image", "version", "language", "state", "detail"].map(str::to_owned)];
            rows.extend(images.list().into_iter().map(|image| {
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
            let image = find(&images, &name)?;
            if json {
                out::print_json(&image)?;
            } else {
                let mut text = format!(
                    "{} {} ({})\n{}\nstate: {}{}\n",
                    image.name,
                    image.version,
                    image.language,
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

pub(super) fn state(state: ImageState) -> &'static str {
    match state {
        ImageState::Ready => "ready",
        ImageState::Preparing => "preparing",
        ImageState::Missing => "missing",
        ImageState::Failed => "failed",
    }
}
