//! Transcode: inputs one after the other through filters into one output.
//!
//! Pictures leave at an even pace and sound without gaps, both counted anew, so that cutting, speed and joining need no
//! arithmetic on the timestamps of inputs, which are anybody's.

use std::fs::File;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::{self, threading};
use ffmpeg::format::context::{Output, StreamIo};
use ffmpeg::format::flag::Flags as FormatFlags;
use ffmpeg::{ChannelLayout, Dictionary, Packet, Rational, encoder, format, frame, media};

use crate::edit::{Edit, Shape};
use crate::graph::Graph;
use crate::probe::{frame_rate, rotation};
use crate::sink::{Bounded, Full};
use crate::source::{Audio, Opened, Source, Video};
use crate::{Caps, MediaError, Report};

/// Seconds before the first wanted one that decoding begins with, and after the last one that it goes on: pictures are
/// stored in another order than they are shown.
const MARGIN_S: f64 = 10.0;
/// Samples of silence that are made at once.
const SILENCE: usize = 1024;

pub(crate) fn transcode(sources: Vec<Source>, edit: &Edit, file: File, caps: &Caps) -> Result<Report, MediaError> {
    edit.check()?;
    let mut inputs = Vec::with_capacity(sources.len());
    for source in sources {
        inputs.push(source.open(caps)?);
    }
    let Some(first) = inputs.first() else { return Err(MediaError::request("no inputs; give at least one file")) };
    let plan = Plan::new(first, &inputs, edit, caps)?;
    let measure = file.try_clone().map_err(MediaError::output)?;
    let mut out = Writer::new(&plan, file, caps)?;
    let mut report = Report::default();
    for input in &mut inputs {
        segment(input, &plan, &mut out)?;
        report.notes.extend(input.notes());
    }
    if out.pictures == 0 && out.samples == 0 {
        return Err(match inputs.first() {
            Some(input) if edit.start_s.is_some() => input.fault("nothing lies between start and end"),
            Some(input) => input.fault("nothing in it could be decoded"),
            None => MediaError::request("no inputs"),
        });
    }
    out.finish()?;
    drop(out);
    report.parts.push(crate::length(&measure).map_err(MediaError::output)?);
    Ok(report)
}

/// What the output has.
struct Plan<'a> {
    edit: &'a Edit,
    caps: &'a Caps,
    picture: Option<Picture>,
    sound: Option<Sound>,
}

struct Picture {
    size: (u32, u32),
    fps: Rational,
}

struct Sound {
    rate: u32,
    channels: i32,
}

impl<'a> Plan<'a> {
    fn new(first: &Opened, inputs: &[Opened], edit: &'a Edit, caps: &'a Caps) -> Result<Plan<'a>, MediaError> {
        let format = edit.format;
        let picture = match first.best(media::Type::Video) {
            Some(stream) if format.has_pictures() => {
                let decoder = first.video(stream.index(), caps)?.decoder;
                let size = (decoder.width(), decoder.height());
                if size.0 == 0 || size.1 == 0 {
                    return Err(first.fault("its pictures have no size"));
                }
                let Shape { size, .. } = edit.shape(size, rotation(&stream), caps)?;
                // Thousandths, so that 29.97 stays what it is.
                let fps = Rational::new((edit.fps(frame_rate(&stream)) * 1000.0).round() as i32, 1000).reduce();
                Some(Picture { size, fps })
            }
            None if format.has_pictures() => {
                return Err(first.fault(format!("there are no pictures in it to make {format} of")));
            }
            _ => None,
        };
        let with_sound = || inputs.iter().find_map(|input| Some((input, input.best(media::Type::Audio)?.index())));
        let sound = match with_sound() {
            Some((input, index)) if format.has_sound() && !edit.mute => {
                let decoder = input.audio(index, caps)?.decoder;
                Some(Sound { rate: format.rate(decoder.rate()), channels: if decoder.channels() == 1 { 1 } else { 2 } })
            }
            None if !format.has_pictures() => return Err(first.fault("there is no sound in it")),
            _ => None,
        };
        if picture.is_none() && sound.is_none() {
            return Err(MediaError::request(format!("{format} without sound would be empty")));
        }
        Ok(Plan { edit, caps, picture, sound })
    }
}

/// One input from its beginning, or what is wanted of it, to its end.
fn segment(input: &mut Opened, plan: &Plan<'_>, out: &mut Writer<'_>) -> Result<(), MediaError> {
    let index = |kind| input.best(kind).map(|stream| stream.index());
    let mut pictures = match (&plan.picture, index(media::Type::Video)) {
        (Some(picture), Some(index)) => Some(Pictures::new(input, index, picture, plan)?),
        (Some(_), None) => return Err(input.fault("there are no pictures in it")),
        _ => None,
    };
    let mut sound = match (&plan.sound, index(media::Type::Audio)) {
        (Some(sound), Some(index)) => {
            Some(Sounds { audio: input.audio(index, plan.caps)?, graph: None, sound, end: 0 })
        }
        _ => None,
    };
    let (start, end) = (plan.edit.start_s.unwrap_or(0.0), plan.edit.end_s.unwrap_or(f64::INFINITY));
    if start > MARGIN_S {
        let at = ((start - MARGIN_S) * f64::from(ffmpeg::ffi::AV_TIME_BASE)) as i64;
        // A file that cannot be searched is read from its beginning.
        let _ = input.input.seek(at, ..at);
    }
    let before = (out.pictures, out.samples);
    while let Some(packet) = input.packet() {
        let mut fine = true;
        if let Some(pictures) = pictures.as_mut().filter(|pictures| pictures.video.index == packet.stream()) {
            let at = packet.dts().or(packet.pts()).map(|at| pictures.video.clock.seconds(at));
            if at.is_some_and(|at| at > end + MARGIN_S) {
                break;
            }
            fine = pictures.take(Some(&packet), plan, out)?;
        } else if let Some(sound) = sound.as_mut().filter(|sound| sound.audio.index == packet.stream()) {
            let at = packet.pts().map(|at| sound.audio.clock.seconds(at));
            if pictures.is_none() && at.is_some_and(|at| at > end + MARGIN_S) {
                break;
            }
            fine = sound.take(Some(&packet), plan, out)?;
        }
        if !fine {
            input.damaged()?;
        }
    }
    if let Some(pictures) = &mut pictures {
        pictures.take(None, plan, out)?;
    }
    if let Some(sound) = &mut sound {
        sound.take(None, plan, out)?;
    }
    if let (Some(picture), Some(sound)) = (&plan.picture, &plan.sound) {
        // The next input's sound begins with its pictures.
        let seconds = (out.pictures - before.0) as f64 / f64::from(picture.fps);
        let wanted = (seconds * f64::from(sound.rate)) as u64;
        out.silence(wanted.saturating_sub(out.samples - before.1))?;
    }
    Ok(())
}

/// Pictures of one input on their way.
struct Pictures {
    video: Video,
    graph: Option<(Graph, (u32, u32, format::Pixel))>,
    filters: Vec<String>,
    fps: Rational,
    last: i64,
    /// How long a picture is shown that does not say.
    usual: i64,
    /// Until when the last picture is shown: the timestamp of a next one that has none.
    end: i64,
    decoded: u64,
}

impl Pictures {
    fn new(input: &Opened, index: usize, picture: &Picture, plan: &Plan<'_>) -> Result<Pictures, MediaError> {
        let stream = input.input.stream(index).ok_or_else(|| input.fault("its streams changed"))?;
        let turned = rotation(&stream);
        let video = input.video(index, plan.caps)?;
        let own = (video.decoder.width(), video.decoder.height());
        let (width, height) = picture.size;
        let mut filters = plan.edit.shape(own, turned, plan.caps)?.filters;
        let usual = 1.0 / (frame_rate(&stream).max(1.0) * f64::from(stream.time_base()));
        let usual = (usual as i64).max(1);
        // A later input of another shape keeps its shape, with bars around it.
        filters.push(format!(
            "scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1:color=black,setsar=1"
        ));
        Ok(Pictures { video, graph: None, filters, fps: picture.fps, end: 0, last: i64::MIN, usual, decoded: 0 })
    }

    /// Takes a packet, or the end. False if it was damaged.
    fn take(&mut self, packet: Option<&Packet>, plan: &Plan<'_>, out: &mut Writer<'_>) -> Result<bool, MediaError> {
        let fine = self.video.feed(packet);
        while let Some(mut frame) = self.video.next() {
            self.decoded += 1;
            if self.decoded > plan.caps.frames {
                return Err(MediaError::too_large("the input", self.decoded, plan.caps.frames, "pictures"));
            }
            // Filters want every picture later than the one before.
            let at = frame.pts().unwrap_or(self.end).max(self.last.saturating_add(1));
            frame.set_pts(Some(at));
            let shown = frame.packet().duration;
            self.last = at;
            self.end = at.saturating_add(if shown > 0 { shown } else { self.usual });
            let shape = (frame.width(), frame.height(), frame.format());
            if self.graph.as_ref().is_some_and(|(_, of)| *of != shape) {
                return Err(MediaError::Input(
                    "a video whose pictures change their size midway is not read here".into(),
                ));
            }
            if self.graph.is_none() {
                self.graph = Some((self.make(shape, plan.edit)?, shape));
            }
            self.push(Some(&frame), out)?;
        }
        if packet.is_none() {
            self.push(None, out)?;
        }
        Ok(fine)
    }

    fn push(&mut self, frame: Option<&frame::Video>, out: &mut Writer<'_>) -> Result<(), MediaError> {
        let Some((graph, _)) = &mut self.graph else { return Ok(()) };
        match frame {
            Some(frame) => graph.feed(frame),
            None => graph.end(self.end),
        }
        .map_err(filtering)?;
        let mut ready = frame::Video::empty();
        while graph.next(&mut ready).map_err(filtering)? {
            out.picture(&mut ready)?;
        }
        Ok(())
    }

    fn make(&self, (width, height, pixel): (u32, u32, format::Pixel), edit: &Edit) -> Result<Graph, MediaError> {
        let descriptor = pixel.descriptor();
        let name = descriptor.map_or("yuv420p", |descriptor| descriptor.name());
        let base = self.video.clock.base;
        let arguments = format!(
            "video_size={width}x{height}:pix_fmt={name}:time_base={}/{}:pixel_aspect=1/1",
            base.numerator(),
            base.denominator()
        );
        let mut chain: Vec<String> = edit.trim("trim").into_iter().collect();
        chain.push(format!("setpts=(PTS-STARTPTS)/{}", edit.speed()));
        chain.extend(self.filters.iter().cloned());
        chain.push(format!("fps={}/{}", self.fps.numerator(), self.fps.denominator()));
        let chain = chain.join(",");
        let transparent =
            ["rgba", "bgra", "argb", "abgr", "yuva", "ya8", "gbrap"].iter().any(|kind| name.starts_with(kind));
        let chain = if edit.format == crate::Format::Gif {
            // A palette for each picture: one for all of them would keep every picture in memory until the last.
            format!("{chain},split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=sierra2_4a")
        } else if transparent {
            // Video has no transparency: what was seen through is white, as a page is.
            format!(
                "{chain},format=rgba,split[a][b];[a]lutrgb=r=255:g=255:b=255:a=255[w];[w][b]overlay=format=auto,format=yuv420p"
            )
        } else {
            format!("{chain},format=yuv420p")
        };
        Graph::new("buffer", &arguments, "buffersink", &chain).map_err(filtering)
    }
}

/// Sound of one input on its way.
struct Sounds<'a> {
    audio: Audio,
    graph: Option<Graph>,
    sound: &'a Sound,
    end: i64,
}

impl Sounds<'_> {
    /// Takes a packet, or the end. False if it was damaged.
    fn take(&mut self, packet: Option<&Packet>, plan: &Plan<'_>, out: &mut Writer<'_>) -> Result<bool, MediaError> {
        let fine = self.audio.feed(packet);
        while let Some(mut frame) = self.audio.next() {
            if frame.channel_layout().is_empty() {
                frame.set_channel_layout(ChannelLayout::default(frame.channels().into()));
            }
            if self.graph.is_none() {
                self.graph = Some(self.make(&frame, plan)?);
            }
            self.push(Some(&frame), out)?;
        }
        if packet.is_none() {
            self.push(None, out)?;
        }
        Ok(fine)
    }

    fn push(&mut self, frame: Option<&frame::Audio>, out: &mut Writer<'_>) -> Result<(), MediaError> {
        let Some(graph) = &mut self.graph else { return Ok(()) };
        match frame {
            Some(frame) => {
                self.end = frame.pts().unwrap_or(self.end).saturating_add(frame.packet().duration.max(0));
                graph.feed(frame)
            }
            None => graph.end(self.end),
        }
        .map_err(filtering)?;
        let mut ready = frame::Audio::empty();
        while graph.next(&mut ready).map_err(filtering)? {
            out.sound(&mut ready)?;
        }
        Ok(())
    }

    fn make(&self, frame: &frame::Audio, plan: &Plan<'_>) -> Result<Graph, MediaError> {
        let base = self.audio.clock.base;
        let arguments = format!(
            "time_base={}/{}:sample_rate={}:sample_fmt={}:channel_layout=0x{:x}",
            base.numerator(),
            base.denominator(),
            frame.rate(),
            frame.format().name(),
            frame.channel_layout().bits()
        );
        let mut chain: Vec<String> = plan.edit.trim("atrim").into_iter().collect();
        chain.push("asetpts=PTS-STARTPTS".into());
        let mut speed = plan.edit.speed();
        // One step of the filter goes down to a half.
        while speed < 0.5 {
            chain.push("atempo=0.5".into());
            speed /= 0.5;
        }
        if speed != 1.0 {
            chain.push(format!("atempo={speed}"));
        }
        chain.push(format!("aresample={}", self.sound.rate));
        chain.push(shape_of(self.sound, plan.edit));
        Graph::new("abuffer", &arguments, "abuffersink", &chain.join(",")).map_err(filtering)
    }
}

/// The filter that brings sound into the encoder's form.
fn shape_of(sound: &Sound, edit: &Edit) -> String {
    let samples = edit.format.audio().map_or("s16", |encoder| encoder.layout);
    let layout = if sound.channels == 1 { "mono" } else { "stereo" };
    format!("aformat=sample_fmts={samples}:sample_rates={}:channel_layouts={layout}", sound.rate)
}

fn filtering(error: ffmpeg::Error) -> MediaError {
    MediaError::Input(format!("the input could not be brought into the form asked for: {error}"))
}

/// The output with its encoders.
struct Writer<'a> {
    output: Output,
    full: Full,
    caps: &'a Caps,
    video: Option<VideoOut>,
    audio: Option<AudioOut>,
    pictures: u64,
    samples: u64,
}

struct VideoOut {
    encoder: encoder::Video,
    base: Rational,
    index: usize,
}

struct AudioOut {
    encoder: encoder::Audio,
    /// Brings sound into frames of the encoder's size, across inputs.
    frames: Graph,
    rate: u32,
    index: usize,
}

impl<'a> Writer<'a> {
    fn new(plan: &Plan<'a>, file: File, caps: &'a Caps) -> Result<Writer<'a>, MediaError> {
        let (bounded, full) = Bounded::new(file, caps);
        let format = plan.edit.format;
        let io = StreamIo::from_write_seek(bounded).map_err(MediaError::output)?;
        let mut output = format::output_to_stream(io, None, Some(format.muxer())).map_err(MediaError::output)?;
        let video = match &plan.picture {
            Some(picture) => Some(VideoOut::new(&mut output, picture, plan.edit)?),
            None => None,
        };
        let audio = match &plan.sound {
            Some(sound) => Some(AudioOut::new(&mut output, sound, plan.edit)?),
            None => None,
        };
        let mut options = Dictionary::new();
        // Neither versions nor times: the same input gives the same bytes.
        options.set("fflags", "+bitexact");
        output.write_header_with(options).map_err(|error| full.explain(error, caps))?;
        Ok(Writer { output, full, caps, video, audio, pictures: 0, samples: 0 })
    }

    /// Takes the next picture.
    fn picture(&mut self, frame: &mut frame::Video) -> Result<(), MediaError> {
        let Some(video) = &mut self.video else { return Ok(()) };
        if self.pictures >= self.caps.frames {
            return Err(MediaError::too_large("the result", self.pictures + 1, self.caps.frames, "pictures"));
        }
        let seconds = self.pictures as f64 * f64::from(video.base);
        if seconds > self.caps.seconds as f64 {
            return Err(MediaError::too_large("the result", seconds as u64, self.caps.seconds, "seconds"));
        }
        frame.set_pts(Some(i64::try_from(self.pictures).unwrap_or(i64::MAX)));
        frame.set_kind(ffmpeg::picture::Type::None);
        self.pictures += 1;
        video.encoder.send_frame(frame).map_err(MediaError::output)?;
        self.drain_video()
    }

    /// Takes some sound.
    fn sound(&mut self, frame: &mut frame::Audio) -> Result<(), MediaError> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        if self.samples / u64::from(audio.rate) > self.caps.seconds {
            let seconds = self.samples / u64::from(audio.rate);
            return Err(MediaError::too_large("the result", seconds, self.caps.seconds, "seconds"));
        }
        frame.set_pts(Some(i64::try_from(self.samples).unwrap_or(i64::MAX)));
        self.samples += frame.samples() as u64;
        audio.frames.feed(frame).map_err(filtering)?;
        self.drain_frames()
    }

    /// Adds so many samples of nothing.
    fn silence(&mut self, mut samples: u64) -> Result<(), MediaError> {
        while samples > 0 {
            let Some(audio) = &self.audio else { return Ok(()) };
            let count = usize::try_from(samples).unwrap_or(SILENCE).min(SILENCE);
            let mut frame = frame::Audio::new(audio.encoder.format(), count, audio.encoder.channel_layout());
            frame.set_rate(audio.rate);
            for plane in 0..frame.planes() {
                frame.data_mut(plane).fill(0);
            }
            samples -= count as u64;
            self.sound(&mut frame)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), MediaError> {
        if let Some(video) = &mut self.video {
            video.encoder.send_eof().map_err(MediaError::output)?;
            self.drain_video()?;
        }
        if let Some(audio) = &mut self.audio {
            audio.frames.end(i64::try_from(self.samples).unwrap_or(i64::MAX)).map_err(filtering)?;
            self.drain_frames()?;
        }
        if let Some(audio) = &mut self.audio {
            audio.encoder.send_eof().map_err(MediaError::output)?;
            self.drain_audio()?;
        }
        self.output.write_trailer().map_err(|error| self.full.explain(error, self.caps))
    }

    fn drain_frames(&mut self) -> Result<(), MediaError> {
        let mut ready = frame::Audio::empty();
        while let Some(audio) = &mut self.audio {
            if !audio.frames.next(&mut ready).map_err(filtering)? {
                break;
            }
            audio.encoder.send_frame(&ready).map_err(MediaError::output)?;
            self.drain_audio()?;
        }
        Ok(())
    }

    fn drain_video(&mut self) -> Result<(), MediaError> {
        let Some(video) = &mut self.video else { return Ok(()) };
        let mut packet = Packet::empty();
        while video.encoder.receive_packet(&mut packet).is_ok() {
            write(&mut self.output, &mut packet, video.index, video.base)
                .map_err(|error| self.full.explain(error, self.caps))?;
        }
        Ok(())
    }

    fn drain_audio(&mut self) -> Result<(), MediaError> {
        let Some(audio) = &mut self.audio else { return Ok(()) };
        let mut packet = Packet::empty();
        while audio.encoder.receive_packet(&mut packet).is_ok() {
            let base = Rational::new(1, i32::try_from(audio.rate).unwrap_or(i32::MAX));
            write(&mut self.output, &mut packet, audio.index, base)
                .map_err(|error| self.full.explain(error, self.caps))?;
        }
        Ok(())
    }
}

fn write(output: &mut Output, packet: &mut Packet, index: usize, base: Rational) -> Result<(), ffmpeg::Error> {
    let to = output.stream(index).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
    packet.set_stream(index);
    if packet.duration() == 0 {
        packet.set_duration(1);
    }
    packet.rescale_ts(base, to);
    packet.write_interleaved(output)
}

/// A new encoder's context, and its options besides `own`.
fn encoder(
    name: &str,
    own: &[(&str, &str)],
    output: &Output,
) -> Result<(ffmpeg::Codec, codec::context::Context, Dictionary<'static>), MediaError> {
    let missing = || MediaError::Output(format!("this FFmpeg was built without the encoder {name}"));
    let codec = encoder::find_by_name(name).ok_or_else(missing)?;
    let mut context = codec::context::Context::new_with_codec(codec);
    context.set_threading(threading::Config { count: 1, ..threading::Config::default() });
    let mut flags = codec::Flags::BITEXACT;
    if output.format().flags().contains(FormatFlags::GLOBAL_HEADER) {
        flags |= codec::Flags::GLOBAL_HEADER;
    }
    context.set_flags(flags);
    let mut options = Dictionary::new();
    for (key, value) in own {
        options.set(key, value);
    }
    options.set("threads", "1");
    Ok((codec, context, options))
}

impl VideoOut {
    fn new(output: &mut Output, picture: &Picture, edit: &Edit) -> Result<VideoOut, MediaError> {
        let unwritable = || MediaError::request(format!("{} holds no pictures", edit.format));
        let wanted = edit.format.video().ok_or_else(unwritable)?;
        let (codec, context, options) = encoder(wanted.name, wanted.options, output)?;
        let base = picture.fps.invert();
        let mut encoder = context.encoder().video().map_err(MediaError::output)?;
        encoder.set_width(picture.size.0);
        encoder.set_height(picture.size.1);
        encoder.set_format(wanted.layout.parse().map_err(|_| MediaError::output("no such pixel format"))?);
        encoder.set_time_base(base);
        encoder.set_frame_rate(Some(picture.fps));
        let encoder = encoder.open_as_with(codec, options).map_err(MediaError::output)?;
        let mut stream = output.add_stream(codec).map_err(MediaError::output)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(base);
        stream.set_avg_frame_rate(picture.fps);
        Ok(VideoOut { encoder, base, index: stream.index() })
    }
}

impl AudioOut {
    fn new(output: &mut Output, sound: &Sound, edit: &Edit) -> Result<AudioOut, MediaError> {
        let unwritable = || MediaError::request(format!("{} holds no sound", edit.format));
        let wanted = edit.format.audio().ok_or_else(unwritable)?;
        let (codec, context, options) = encoder(wanted.name, wanted.options, output)?;
        let rate = i32::try_from(sound.rate).unwrap_or(48_000);
        let mut encoder = context.encoder().audio().map_err(MediaError::output)?;
        let samples: format::Sample = format::Sample::from(wanted.layout);
        encoder.set_format(samples);
        encoder.set_rate(rate);
        encoder.set_channel_layout(ChannelLayout::default(sound.channels));
        encoder.set_channels(sound.channels);
        encoder.set_time_base(Rational::new(1, rate));
        let encoder = encoder.open_as_with(codec, options).map_err(MediaError::output)?;
        let mut stream = output.add_stream(codec).map_err(MediaError::output)?;
        stream.set_parameters(&encoder);
        stream.set_time_base(Rational::new(1, rate));
        let index = stream.index();
        let arguments = format!(
            "time_base=1/{rate}:sample_rate={rate}:sample_fmt={}:channel_layout=0x{:x}",
            samples.name(),
            ChannelLayout::default(sound.channels).bits()
        );
        let mut frames = Graph::new("abuffer", &arguments, "abuffersink", "anull").map_err(filtering)?;
        let any = codec::capabilities::Capabilities::VARIABLE_FRAME_SIZE;
        if !codec.capabilities().contains(any) {
            frames.set_frame_size(encoder.frame_size()).map_err(filtering)?;
        }
        Ok(AudioOut { encoder, frames, rate: sound.rate, index })
    }
}
