//! Audio and video for Glovebox, through FFmpeg.
//!
//! Reads and writes the files it is handed and opens nothing itself: demuxers get no protocol, formats and codecs come
//! from lists ([`formats`](self)), and everything runs on one thread, so that the process around it needs no right at all
//! and the same input gives the same bytes. What is read is anybody's: see [`Caps`].
//!
//! ```no_run
//! use glovebox_media::{Caps, Format, Input, Op, perform};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clip = Input { name: "clip.gif".into(), file: std::fs::File::open("clip.gif")? };
//! let slow = Op::Convert(glovebox_media::Edit { speed: Some(0.5), ..glovebox_media::Edit::to(Format::Mp4) });
//! let report = perform(&slow, vec![clip], Some(std::fs::File::create("clip.mp4")?), &Caps::default())?;
//! assert_eq!(report.parts.len(), 1);
//! # Ok(())
//! # }
//! ```

mod edit;
mod error;
mod formats;
mod graph;
mod picture;
mod probe;
mod sink;
mod source;
mod transcode;

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::sync::Once;

use serde::{Deserialize, Serialize};

pub use edit::Edit;
pub use error::MediaError;
pub use formats::Format;
pub use probe::{Probe, StreamProbe};

/// A file to read, and what people call it.
#[derive(Debug)]
pub struct Input {
    /// For error messages.
    pub name: String,
    /// Open for reading, at its beginning.
    pub file: File,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// Say what is in the one input.
    Probe,
    /// Pictures of the one input as PNG files, one after the other.
    Frames {
        /// Seconds from the beginning, in any order.
        #[serde(default)]
        at_s: Vec<f64>,
        /// One every so many seconds; 0 is every picture there is.
        #[serde(default)]
        every_s: Option<f64>,
        /// Pixels; the height follows. Default: as in the input.
        #[serde(default)]
        width: Option<u32>,
    },
    /// Pictures spread over the one input, side by side in one PNG file.
    ContactSheet {
        /// Pictures in a row, 1 to 20.
        columns: u32,
        /// Rows, 1 to 20.
        rows: u32,
        /// Pixels of the whole sheet.
        width: u32,
    },
    /// The one input in another format, edited.
    Convert(Edit),
    /// The inputs one after the other, in the size of the first.
    Concatenate {
        /// What to write.
        format: Format,
    },
    /// The sound of the one input.
    ExtractAudio {
        /// What to write, a format of sound.
        format: Format,
    },
    /// A video of pictures: each input holds one PNG or JPEG file or several, one after the other.
    Encode {
        /// What to write.
        format: Format,
        /// Pictures a second.
        fps: f64,
    },
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of [`Op::Probe`].
    pub probe: Option<Probe>,
    /// Bytes of the files that lie one after the other in the output: one for a conversion, one per picture for frames.
    pub parts: Vec<u64>,
    /// Seconds from the beginning, for each picture of [`Op::Frames`].
    pub times_s: Vec<f64>,
    /// What a person should know, such as damaged packets that were passed over.
    pub notes: Vec<String>,
}

/// What an operation may take. Memory and processor time are the business of the process around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// Bytes of all inputs. Default 2 GiB.
    pub input_bytes: u64,
    /// Bytes of the output. Default 512 MiB.
    pub output_bytes: u64,
    /// Pixels of a picture, read or written. Default 33,177,600: 8K.
    pub pixels: u64,
    /// Streams of an input. Default 32.
    pub streams: u32,
    /// Pictures that are decoded, and that are encoded. Default 54,000: half an hour of 30 a second.
    pub frames: u64,
    /// Seconds that are written. Default 7200.
    pub seconds: u64,
    /// Pictures that are written as files of their own. Default 1000.
    pub pictures: u64,
}

impl Default for Caps {
    fn default() -> Caps {
        Caps {
            input_bytes: 2 << 30,
            output_bytes: 512 << 20,
            pixels: 7680 * 4320,
            streams: 32,
            frames: 54_000,
            seconds: 7200,
            pictures: 1000,
        }
    }
}

/// Does it. `output` is written from its beginning; [`Op::Probe`] needs none.
///
/// # Errors
///
/// [`MediaError`]: what was asked makes no sense, an input cannot be read, a cap was reached. The output then holds
/// nothing of use.
pub fn perform(op: &Op, inputs: Vec<Input>, output: Option<File>, caps: &Caps) -> Result<Report, MediaError> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Its words would be about things that a user never sees; errors carry what matters.
        ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
    });
    let mut bytes = 0_u64;
    for input in &inputs {
        let length = length(&input.file).map_err(|error| MediaError::input(&input.name, error))?;
        bytes = bytes.saturating_add(length);
    }
    if bytes > caps.input_bytes {
        return Err(MediaError::too_large("the inputs", bytes, caps.input_bytes, "bytes"));
    }
    let output = || output.ok_or_else(|| MediaError::request("the operation writes a file, and none was given"));
    match op {
        Op::Probe => Ok(Report { probe: Some(probe::probe(only(inputs)?, caps)?), ..Report::default() }),
        Op::Frames { at_s, every_s, width } => {
            picture::frames(only(inputs)?, picture::Wanted::new(at_s, *every_s)?, *width, output()?, caps)
        }
        Op::ContactSheet { columns, rows, width } => {
            picture::sheet(only(inputs)?, (*columns, *rows), *width, output()?, caps)
        }
        Op::Convert(edit) => transcode::transcode(vec![only(inputs)?.into()], edit, output()?, caps),
        Op::Concatenate { format } => {
            let sources = inputs.into_iter().map(Into::into).collect();
            transcode::transcode(sources, &Edit::to(*format), output()?, caps)
        }
        Op::ExtractAudio { format } if format.has_pictures() => {
            Err(MediaError::request(format!("{format} is no format of sound alone; use mp3, m4a, wav, flac or ogg")))
        }
        Op::ExtractAudio { format } => {
            transcode::transcode(vec![only(inputs)?.into()], &Edit::to(*format), output()?, caps)
        }
        Op::Encode { format, fps } if format.has_pictures() => {
            let source = source::Source::pictures(inputs, *fps)?;
            transcode::transcode(vec![source], &Edit { fps: Some(*fps), ..Edit::to(*format) }, output()?, caps)
        }
        Op::Encode { format, .. } => {
            Err(MediaError::request(format!("{format} holds no pictures; use mp4, webm, mov, mkv or gif")))
        }
    }
}

/// The version of FFmpeg's codec library, such as `59.37.100`.
#[must_use]
pub fn version() -> String {
    let version = ffmpeg_next::codec::version();
    format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff)
}

/// Bytes of a file, which is at its beginning again afterwards. By seeking: the process around may not even ask the
/// system for a file's description.
fn length(mut file: &File) -> std::io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    Ok(length)
}

fn only(inputs: Vec<Input>) -> Result<Input, MediaError> {
    let count = inputs.len();
    <[Input; 1]>::try_from(inputs)
        .map(|[input]| input)
        .map_err(|_| MediaError::request(format!("the operation takes one input, not {count}")))
}
