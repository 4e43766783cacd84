//! The service that programs call (`glovebox.call`, guest-images/CONTRACT.md): paths of their workspace in, files there out.
//!
//! It runs beside the pool, outside of the worker that has the guest. Paths are a guest's, so they are opened beneath a
//! handle of the workspace, which no link leads out of; a result is written under another name and moved into its place.

use std::path::{Path, PathBuf};

use glovebox_runtime::{Answer, Room};

/// Answers the calls of programs.
#[derive(Clone, Debug)]
pub struct MediaService {
    program: PathBuf,
}

impl MediaService {
    /// `program`: the glovebox binary.
    #[must_use]
    pub fn new(program: &Path) -> MediaService {
        MediaService { program: program.to_owned() }
    }

    /// Does what a program of the workspace asks for, in JSON, within the room that it has left. `None` if the request is
    /// not for audio and video. Dropping the future ends the work.
    pub async fn call(&self, workspace: &Path, request: String, room: Room) -> Option<Answer> {
        if serde_json::from_str::<Addressed>(&request).ok()?.service != "media" {
            return None;
        }
        Some(calls::answer(self.program.clone(), workspace.to_owned(), request, room).await)
    }
}

#[derive(serde::Deserialize)]
struct Addressed {
    service: String,
}

/// The answer that tells a program what went wrong.
fn refusal(error: &super::MediaError) -> Answer {
    Answer { body: serde_json::json!({ "error": error }).to_string(), bytes: 0, files: 0 }
}

#[cfg(not(feature = "media"))]
mod calls {
    use super::{Answer, PathBuf, Room, refusal};

    pub(super) async fn answer(_: PathBuf, _: PathBuf, _: String, _: Room) -> Answer {
        refusal(&crate::media::MediaError::missing())
    }
}

#[cfg(feature = "media")]
mod calls {
    use std::fs::File;
    use std::io::{Read, Seek};
    use std::path::{Component, Path, PathBuf};
    use std::sync::atomic::Ordering;

    use cap_std::fs::{Dir, OpenOptions};
    use glovebox_media::{Caps, Op, Report};
    use glovebox_runtime::{Answer, Room};
    use serde::Deserialize;

    use super::refusal;
    use crate::media::MediaError;
    use crate::media::process::{self, Stop};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Request {
        #[serde(rename = "service")]
        _service: String,
        op: Op,
        inputs: Vec<String>,
        #[serde(default)]
        output: Option<String>,
    }

    /// Asks the work to stop when nobody waits for it any more.
    struct StopOnDrop(Stop);

    impl Drop for StopOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    pub(super) async fn answer(program: PathBuf, workspace: PathBuf, request: String, room: Room) -> Answer {
        let stop = Stop::default();
        let _stop = StopOnDrop(stop.clone());
        let work = tokio::task::spawn_blocking(move || perform(&program, &workspace, &request, room, &stop));
        match work.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => refusal(&error),
            Err(error) => refusal(&MediaError::new("process", format!("the media service failed: {error}"))),
        }
    }

    fn perform(program: &Path, workspace: &Path, request: &str, room: Room, stop: &Stop) -> Result<Answer, MediaError> {
        let request: Request = serde_json::from_str(request)
            .map_err(|error| MediaError::new("request", format!("the request is not understood: {error}")))?;
        let dir = Dir::open_ambient_dir(workspace, cap_std::ambient_authority())
            .map_err(|error| MediaError::new("process", format!("the workspace cannot be opened: {error}")))?;
        let mut inputs = Vec::new();
        for name in &request.inputs {
            inputs.push((name.clone(), open(&dir, name)?));
        }
        let several = matches!(request.op, Op::Frames { .. });
        let mut caps = Caps::default();
        caps.output_bytes = caps.output_bytes.min(room.bytes);
        caps.pictures = caps.pictures.min(room.files);
        if !several {
            caps.output_bytes = caps.output_bytes.min(room.file_bytes);
        }
        let run = |output| process::perform(program, &request.op, inputs, output, &caps, stop);
        match (&request.op, &request.output) {
            (Op::Probe, _) => Ok(said(&run(None)?, &[], 0, 0)),
            (_, None) => Err(MediaError::new("request", "the operation writes a file, and its name is missing")),
            (_, Some(name)) if several => {
                let failed = |error| MediaError::new("output", format!("no temporary file can be made: {error}"));
                let pack = tempfile::tempfile().map_err(failed)?;
                let report = run(Some(pack.try_clone().map_err(failed)?))?;
                unpack(&dir, name, pack, &report, room)
            }
            (_, Some(name)) => {
                let new = New::create(&dir, name, room)?;
                let report = run(Some(new.file.try_clone().map_err(|error| unwritable(name, &error))?))?;
                let (bytes, files) = new.keep()?;
                Ok(said(&report, std::slice::from_ref(name), bytes, files))
            }
        }
    }

    /// Writes the pictures that lie one after the other in `pack` under names of their own.
    fn unpack(dir: &Dir, name: &str, mut pack: File, report: &Report, room: Room) -> Result<Answer, MediaError> {
        if report.parts.len() > 1 && !name.contains("{}") {
            let message = format!("{name} has no {{}} for the number of the picture, and there are several");
            return Err(MediaError::new("request", message));
        }
        pack.rewind().map_err(|error| unwritable(name, &error))?;
        let (mut paths, mut bytes, mut files) = (Vec::new(), 0, 0);
        for (n, length) in report.parts.iter().enumerate() {
            let name = name.replacen("{}", &format!("{:04}", n + 1), 1);
            let new = New::create(dir, &name, Room { files: room.files.saturating_sub(files), ..room })?;
            let copied = std::io::copy(&mut (&mut pack).take(*length), &mut &new.file);
            copied.map_err(|error| unwritable(&name, &error))?;
            let kept = new.keep()?;
            bytes += kept.0;
            files += kept.1;
            paths.push(name);
        }
        Ok(said(report, &paths, bytes, files))
    }

    fn said(report: &Report, paths: &[String], bytes: i64, files: u64) -> Answer {
        let body = serde_json::json!({
            "paths": paths, "probe": report.probe, "times_s": report.times_s, "notes": report.notes,
        });
        Answer { body: body.to_string(), bytes, files }
    }

    /// A path that a program gave, as one beneath the workspace.
    fn inside(name: &str) -> Result<&Path, MediaError> {
        let path = Path::new(name);
        let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if name.is_empty() || !path.components().all(plain) {
            let message = format!("{name} does not lie in the workspace; use a path relative to it, without `..`");
            return Err(MediaError::new("request", message));
        }
        Ok(path)
    }

    fn open(dir: &Dir, name: &str) -> Result<File, MediaError> {
        let path = inside(name)?;
        // Only what is a file before it is opened: opening a pipe would wait.
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => MediaError::new("not_found", format!("{name}: no such file")),
            _ => MediaError::new("input", format!("{name}: cannot be opened: {error}")),
        };
        if !dir.metadata(path).map_err(unreadable)?.is_file() {
            return Err(MediaError::new("input", format!("{name}: is no regular file")));
        }
        let file = dir.open(path).map_err(unreadable)?.into_std();
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(MediaError::new("input", format!("{name}: is no regular file")));
        }
        Ok(file)
    }

    fn unwritable(name: &str, error: &std::io::Error) -> MediaError {
        MediaError::new("output", format!("{name}: cannot be written: {error}"))
    }

    /// A file in the making, gone unless it is kept.
    struct New<'a> {
        dir: &'a Dir,
        name: &'a str,
        draft: Option<PathBuf>,
        file: File,
        /// Bytes of the file whose place it takes.
        before: Option<u64>,
    }

    impl<'a> New<'a> {
        fn create(dir: &'a Dir, name: &'a str, room: Room) -> Result<New<'a>, MediaError> {
            let path = inside(name)?;
            let before = match dir.symlink_metadata(path) {
                Ok(metadata) if metadata.is_dir() => {
                    return Err(MediaError::new("output", format!("{name}: is a directory")));
                }
                Ok(metadata) => Some(if metadata.is_file() { metadata.len() } else { 0 }),
                Err(_) if room.files == 0 => {
                    let message = format!("{name}: the workspace may have no more files (`workspace_files`)");
                    return Err(MediaError::new("cap", message));
                }
                Err(_) => None,
            };
            let draft = path.with_file_name(format!(".{}.part", uuid::Uuid::new_v4().simple()));
            let mut options = OpenOptions::new();
            options.read(true).write(true).create_new(true);
            let file = dir.open_with(&draft, &options).map_err(|error| unwritable(name, &error))?.into_std();
            Ok(New { dir, name, draft: Some(draft), file, before })
        }

        /// Puts it in its place. Returns the bytes and files that the workspace has more.
        fn keep(mut self) -> Result<(i64, u64), MediaError> {
            let length = self.file.metadata().map_err(|error| unwritable(self.name, &error))?.len();
            if let Some(draft) = &self.draft {
                self.dir.rename(draft, self.dir, self.name).map_err(|error| unwritable(self.name, &error))?;
            }
            self.draft = None;
            let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            Ok((signed(length) - signed(self.before.unwrap_or(0)), u64::from(self.before.is_none())))
        }
    }

    impl Drop for New<'_> {
        fn drop(&mut self) {
            if let Some(draft) = &self.draft {
                let _ = self.dir.remove_file(draft);
            }
        }
    }
}
