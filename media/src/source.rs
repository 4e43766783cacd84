//! Source: an input opened for decoding, within its caps.

use std::fs::File;
use std::io::{self, Read};

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::{context::Context, threading};
use ffmpeg::format::context::StreamIo;
use ffmpeg::{Dictionary, Packet, Rational, Stream, decoder, format, frame, media};

use crate::formats::{DECODERS, DEMUXERS, PICTURE_DEMUXERS};
use crate::{Caps, Input, MediaError};

/// Damaged packets that are passed over before a file is given up.
const MAX_DAMAGED: u64 = 1000;

/// What is to be decoded: a media file, or pictures that become one.
pub(crate) struct Source {
    name: String,
    content: Content,
}

enum Content {
    File(File),
    Pictures { files: Vec<File>, fps: f64 },
}

impl From<Input> for Source {
    fn from(input: Input) -> Source {
        Source { name: input.name, content: Content::File(input.file) }
    }
}

impl Source {
    /// Files that hold one picture or several, all of one kind.
    pub(crate) fn pictures(inputs: Vec<Input>, fps: f64) -> Result<Source, MediaError> {
        let name = match inputs.as_slice() {
            [] => return Err(MediaError::request("no pictures to encode; give at least one")),
            [one] => one.name.clone(),
            [first, ..] => format!("{} and {} more pictures", first.name, inputs.len() - 1),
        };
        if !(fps > 0.0 && fps <= 60.0) {
            return Err(MediaError::request(format!("fps: {fps} is out of range; use more than 0 and at most 60")));
        }
        let files = inputs.into_iter().map(|input| input.file).collect();
        Ok(Source { name, content: Content::Pictures { files, fps } })
    }

    pub(crate) fn open(self, caps: &Caps) -> Result<Opened, MediaError> {
        let Source { name, content } = self;
        let fps = match &content {
            Content::File(_) => String::new(),
            Content::Pictures { fps, .. } => fps.to_string(),
        };
        let mut options = Dictionary::new();
        // Nothing but the file at hand is ever opened, whatever it refers to.
        options.set("protocol_whitelist", "none");
        options.set("codec_whitelist", &DECODERS.join(","));
        options.set("max_streams", &caps.streams.to_string());
        let io = match content {
            Content::File(file) => {
                options.set("format_whitelist", DEMUXERS);
                StreamIo::from_read_seek(file)
            }
            Content::Pictures { files, .. } => {
                options.set("format_whitelist", PICTURE_DEMUXERS);
                options.set("framerate", &fps);
                StreamIo::from_read(Chain(files.into_iter().rev().collect()))
            }
        };
        let unusable = |error: ffmpeg::Error| {
            let why = match error {
                ffmpeg::Error::InvalidData
                | ffmpeg::Error::Eof
                | ffmpeg::Error::Other { errno: ffmpeg::util::error::EINVAL } => {
                    "it is damaged, empty or no audio or video that is read here".to_owned()
                }
                ffmpeg::Error::Other { errno } if errno == ffmpeg::util::error::ENOMEM => {
                    "it needs more memory than it may have".to_owned()
                }
                other => other.to_string(),
            };
            MediaError::input(&name, why)
        };
        let input = io.and_then(|io| format::input_from_stream(io, None, Some(options))).map_err(unusable)?;
        let streams = input.nb_streams();
        if streams > caps.streams {
            return Err(MediaError::too_large(&name, streams.into(), caps.streams.into(), "streams"));
        }
        Ok(Opened { name, input, damaged: 0 })
    }
}

/// Files read as if they were one.
struct Chain(Vec<File>);

impl Read for Chain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(file) = self.0.last_mut() {
            match file.read(buffer)? {
                0 => drop(self.0.pop()),
                count => return Ok(count),
            }
        }
        Ok(0)
    }
}

/// An input with its streams known.
pub(crate) struct Opened {
    pub(crate) name: String,
    pub(crate) input: format::context::Input,
    damaged: u64,
}

impl Opened {
    /// The stream of a kind that a player would choose.
    pub(crate) fn best(&self, kind: media::Type) -> Option<Stream<'_>> {
        self.input.streams().best(kind)
    }

    pub(crate) fn fault(&self, why: impl std::fmt::Display) -> MediaError {
        MediaError::input(&self.name, why)
    }

    /// Seconds in all; 0 if the file does not say.
    pub(crate) fn seconds(&self) -> f64 {
        let whole = self.input.duration();
        if whole > 0 {
            return whole as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE);
        }
        let of = |stream: Stream<'_>| stream.duration().max(0) as f64 * f64::from(stream.time_base());
        self.input.streams().map(of).fold(0.0, f64::max)
    }

    /// The next packet; `None` at the end. A file that breaks off ends there.
    pub(crate) fn packet(&mut self) -> Option<Packet> {
        loop {
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) => return Some(packet),
                Err(ffmpeg::Error::Eof) => return None,
                Err(_) => {
                    self.damaged += 1;
                    if self.damaged > MAX_DAMAGED || !self.input.clear_eof() {
                        return None;
                    }
                }
            }
        }
    }

    /// Counts a packet that could not be decoded.
    pub(crate) fn damaged(&mut self) -> Result<(), MediaError> {
        self.damaged += 1;
        if self.damaged > MAX_DAMAGED {
            return Err(self.fault("it is damaged beyond use"));
        }
        Ok(())
    }

    /// What a person should know of it.
    pub(crate) fn notes(&self) -> Vec<String> {
        match self.damaged {
            0 => Vec::new(),
            1 => vec![format!("{}: a damaged part was passed over", self.name)],
            n => vec![format!("{}: {n} damaged parts were passed over", self.name)],
        }
    }

    /// A decoder for a stream of pictures.
    pub(crate) fn video(&self, index: usize, caps: &Caps) -> Result<Video, MediaError> {
        let stream = self.input.stream(index).ok_or_else(|| self.fault("its streams changed"))?;
        let opened = self.decoder(&stream, caps)?;
        let decoder = opened.video().map_err(|error| self.fault(error))?;
        let pixels = u64::from(decoder.width()) * u64::from(decoder.height());
        if pixels > caps.pixels {
            return Err(MediaError::too_large(&self.name, pixels, caps.pixels, "pixels in a picture"));
        }
        Ok(Video { index, decoder, clock: Clock::of(&stream) })
    }

    /// A decoder for a stream of sound.
    pub(crate) fn audio(&self, index: usize, caps: &Caps) -> Result<Audio, MediaError> {
        let stream = self.input.stream(index).ok_or_else(|| self.fault("its streams changed"))?;
        let decoder = self.decoder(&stream, caps)?.audio().map_err(|error| self.fault(error))?;
        Ok(Audio { index, decoder, clock: Clock::of(&stream) })
    }

    fn decoder(&self, stream: &Stream<'_>, caps: &Caps) -> Result<decoder::Opened, MediaError> {
        let parameters = stream.parameters();
        let codec = decoder::find(parameters.id());
        let codec = codec
            .filter(|codec| DECODERS.contains(&codec.name()))
            .ok_or_else(|| self.fault(format!("its codec {} is not decoded here", parameters.id().name())))?;
        let mut context = Context::from_parameters(parameters).map_err(|error| self.fault(error))?;
        context.set_threading(threading::Config { count: 1, ..threading::Config::default() });
        let mut options = Dictionary::new();
        options.set("max_pixels", &caps.pixels.to_string());
        options.set("threads", "1");
        let mut decoder = context.decoder();
        decoder.set_packet_time_base(stream.time_base());
        decoder.open_as_with(codec, options).map_err(|error| self.fault(error))
    }
}

/// When the frames of a stream are shown.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) base: Rational,
    start: i64,
}

impl Clock {
    fn of(stream: &Stream<'_>) -> Clock {
        let start = stream.start_time();
        Clock { base: stream.time_base(), start: if start == ffmpeg::ffi::AV_NOPTS_VALUE { 0 } else { start } }
    }

    /// A timestamp counted from the stream's beginning.
    pub(crate) fn since_start(&self, timestamp: i64) -> i64 {
        timestamp.saturating_sub(self.start)
    }

    /// A timestamp in seconds from the stream's beginning.
    pub(crate) fn seconds(&self, timestamp: i64) -> f64 {
        self.since_start(timestamp) as f64 * f64::from(self.base)
    }
}

/// A decoder of pictures.
pub(crate) struct Video {
    pub(crate) index: usize,
    pub(crate) decoder: decoder::Video,
    pub(crate) clock: Clock,
}

impl Video {
    /// Feeds a packet, or the end. False if it was damaged.
    pub(crate) fn feed(&mut self, packet: Option<&Packet>) -> bool {
        match packet {
            Some(packet) => self.decoder.send_packet(packet).is_ok(),
            None => self.decoder.send_eof().is_ok(),
        }
    }

    /// The next picture, if there is one; its timestamp counts from the beginning.
    pub(crate) fn next(&mut self) -> Option<frame::Video> {
        let mut frame = frame::Video::empty();
        self.decoder.receive_frame(&mut frame).ok()?;
        let at = frame.timestamp().map(|at| self.clock.since_start(at));
        frame.set_pts(at);
        Some(frame)
    }
}

/// A decoder of sound.
pub(crate) struct Audio {
    pub(crate) index: usize,
    pub(crate) decoder: decoder::Audio,
    pub(crate) clock: Clock,
}

impl Audio {
    /// As [`Video::feed`].
    pub(crate) fn feed(&mut self, packet: Option<&Packet>) -> bool {
        match packet {
            Some(packet) => self.decoder.send_packet(packet).is_ok(),
            None => self.decoder.send_eof().is_ok(),
        }
    }

    /// As [`Video::next`].
    pub(crate) fn next(&mut self) -> Option<frame::Audio> {
        let mut frame = frame::Audio::empty();
        self.decoder.receive_frame(&mut frame).ok()?;
        let at = frame.timestamp().map(|at| self.clock.since_start(at));
        frame.set_pts(at);
        Some(frame)
    }
}
