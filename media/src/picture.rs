//! Pictures of a video as PNG: single ones and contact sheets.

use std::fs::File;
use std::io::Write;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::context::Context;
use ffmpeg::format::Pixel;
use ffmpeg::software::scaling;
use ffmpeg::{Packet, Rational, encoder, frame, media};

use crate::probe::frame_rate;
use crate::sink::Bounded;
use crate::source::{Opened, Source, Video};
use crate::{Caps, Input, MediaError, Report};

/// Pixels between the pictures of a sheet.
const GAP: u32 = 4;

/// Which pictures.
pub(crate) enum Wanted {
    /// At these seconds, in order.
    At(Vec<f64>),
    /// One every so many seconds.
    Every(f64),
    /// All of them.
    All,
}

impl Wanted {
    pub(crate) fn new(at: &[f64], every: Option<f64>) -> Result<Wanted, MediaError> {
        match (at, every) {
            ([], Some(0.0)) => Ok(Wanted::All),
            ([], Some(every)) if every > 0.0 && every.is_finite() => Ok(Wanted::Every(every)),
            ([], Some(every)) => Err(MediaError::request(format!("every: {every} is no number of seconds"))),
            ([], None) => Ok(Wanted::At(vec![0.0])),
            (_, Some(_)) => Err(MediaError::request("give either times or an interval, not both")),
            (at, None) => {
                if let Some(wrong) = at.iter().find(|at| !(at.is_finite() && **at >= 0.0)) {
                    return Err(MediaError::request(format!("{wrong} is no time; use seconds from the beginning")));
                }
                let mut at = at.to_vec();
                at.sort_by(f64::total_cmp);
                Ok(Wanted::At(at))
            }
        }
    }

    /// The time of the `n`th picture, if there is one.
    fn time(&self, n: usize) -> Option<f64> {
        match self {
            Wanted::At(times) => times.get(n).copied(),
            Wanted::Every(every) => Some(n as f64 * every),
            Wanted::All => None,
        }
    }
}

pub(crate) fn frames(
    input: Input,
    wanted: Wanted,
    width: Option<u32>,
    file: File,
    caps: &Caps,
) -> Result<Report, MediaError> {
    let mut opened = Source::from(input).open(caps)?;
    let (mut out, full) = Bounded::new(file, caps);
    let mut report = Report::default();
    let mut painter = Painter::default();
    pick(&mut opened, &wanted, caps, &mut |frame, at| {
        if report.parts.len() as u64 >= caps.pictures {
            return Err(MediaError::too_large("the result", caps.pictures + 1, caps.pictures, "pictures"));
        }
        let size = scaled((frame.width(), frame.height()), width.unwrap_or(frame.width()), caps)?;
        let png = png(&painter.paint(frame, size)?)?;
        out.write_all(&png).map_err(|error| full.explain(error, caps))?;
        report.parts.push(png.len() as u64);
        report.times_s.push(at);
        Ok(())
    })?;
    if report.parts.is_empty() {
        return Err(opened.fault(match wanted.time(0) {
            Some(at) if at > 0.0 => format!("it has no picture at {at} s; it lasts {:.2} s", opened.seconds()),
            _ => "no picture in it could be decoded".to_owned(),
        }));
    }
    report.notes = opened.notes();
    Ok(report)
}

pub(crate) fn sheet(
    input: Input,
    (columns, rows): (u32, u32),
    width: u32,
    file: File,
    caps: &Caps,
) -> Result<Report, MediaError> {
    if !(1..=20).contains(&columns) || !(1..=20).contains(&rows) {
        return Err(MediaError::request(format!("a sheet has 1 to 20 columns and rows, not {columns} and {rows}")));
    }
    let again = input.file.try_clone().map_err(|error| MediaError::input(&input.name, error))?;
    let again = Input { name: input.name.clone(), file: again };
    let mut opened = Source::from(input).open(caps)?;
    let times = spread(&mut opened, (columns * rows) as usize, caps)?;
    // Both descriptors share one position.
    std::io::Seek::rewind(&mut &again.file).map_err(|error| MediaError::input(&again.name, error))?;
    let mut opened = Source::from(again).open(caps)?;
    let rows = (times.len() as u32).div_ceil(columns).max(1);
    let cell = width.saturating_sub(GAP * (columns + 1)) / columns;
    let mut painter = Painter::default();
    let mut canvas: Option<Canvas> = None;
    let mut count = 0;
    pick(&mut opened, &Wanted::At(times), caps, &mut |frame, _| {
        let size = scaled((frame.width(), frame.height()), cell.max(1), caps)?;
        let canvas = match &mut canvas {
            Some(canvas) => canvas,
            None => canvas.insert(Canvas::new(columns, rows, size, caps)?),
        };
        canvas.put(count, &painter.paint(frame, canvas.cell)?);
        count += 1;
        Ok(())
    })?;
    let canvas = canvas.ok_or_else(|| opened.fault("no picture in it could be decoded"))?;
    let png = png(&canvas.frame)?;
    let (mut out, full) = Bounded::new(file, caps);
    out.write_all(&png).map_err(|error| full.explain(error, caps))?;
    Ok(Report { parts: vec![png.len() as u64], notes: opened.notes(), ..Report::default() })
}

/// So many times, spread evenly; fewer if there are fewer pictures.
fn spread(opened: &mut Opened, count: usize, caps: &Caps) -> Result<Vec<f64>, MediaError> {
    let seconds = opened.seconds();
    let rate = opened.best(media::Type::Video).map_or(0.0, |stream| frame_rate(&stream));
    let many = seconds * rate >= 2.0 * count as f64;
    if many {
        return Ok((0..count).map(|n| (n as f64 + 0.5) * seconds / count as f64).collect());
    }
    // A short one, or one that does not say: its pictures are counted.
    let mut times = Vec::new();
    pick(opened, &Wanted::All, caps, &mut |_, at| {
        times.push(at);
        Ok(())
    })?;
    if times.len() <= count {
        return Ok(times);
    }
    Ok((0..count).map(|n| times[(2 * n + 1) * times.len() / (2 * count)]).collect())
}

/// What is done with a picture that was picked, and its time in seconds.
type OnPicture<'a> = dyn FnMut(&frame::Video, f64) -> Result<(), MediaError> + 'a;

/// Hands on the picture that is seen at each wanted time.
fn pick(opened: &mut Opened, wanted: &Wanted, caps: &Caps, on: &mut OnPicture<'_>) -> Result<(), MediaError> {
    let index = opened.best(media::Type::Video).map(|stream| stream.index());
    let index = index.ok_or_else(|| opened.fault("there are no pictures in it"))?;
    let mut video = opened.video(index, caps)?;
    let mut picker = Picker { wanted, next: 0, decoded: 0, last: None };
    while let Some(packet) = opened.packet() {
        if packet.stream() != index {
            continue;
        }
        if !video.feed(Some(&packet)) {
            opened.damaged()?;
        }
        if !picker.take(&mut video, caps, on)? {
            return Ok(());
        }
    }
    video.feed(None);
    if picker.take(&mut video, caps, on)? {
        picker.end(opened.seconds(), on)?;
    }
    Ok(())
}

struct Picker<'a> {
    wanted: &'a Wanted,
    next: usize,
    decoded: u64,
    /// The picture that is seen until the one after it, and since when.
    last: Option<(frame::Video, f64)>,
}

impl Picker<'_> {
    /// Looks at what is decoded. False if nothing more is wanted.
    fn take(&mut self, video: &mut Video, caps: &Caps, on: &mut OnPicture<'_>) -> Result<bool, MediaError> {
        while let Some(frame) = video.next() {
            self.decoded += 1;
            if self.decoded > caps.frames {
                return Err(MediaError::too_large("the input", self.decoded, caps.frames, "pictures"));
            }
            let at = frame.pts().map_or(0.0, |at| at as f64 * f64::from(video.clock.base));
            if matches!(self.wanted, Wanted::All) {
                on(&frame, at)?;
                continue;
            }
            loop {
                let Some(time) = self.wanted.time(self.next) else { return Ok(false) };
                match &self.last {
                    Some((last, since)) if time < at => on(last, *since)?,
                    // Nothing is seen before the first picture.
                    None if time < at => on(&frame, at)?,
                    _ => break,
                }
                self.next += 1;
            }
            self.last = Some((frame, at));
        }
        Ok(true)
    }

    /// The last picture is seen until the end.
    fn end(&mut self, seconds: f64, on: &mut OnPicture<'_>) -> Result<(), MediaError> {
        let Some((last, since)) = &self.last else { return Ok(()) };
        let end = seconds.max(*since);
        while let Some(time) = self.wanted.time(self.next).filter(|time| *time <= end) {
            // An interval asks for no second copy of the last picture at the very end.
            if matches!(self.wanted, Wanted::Every(_)) && time >= end && self.next > 0 {
                break;
            }
            on(last, *since)?;
            self.next += 1;
        }
        Ok(())
    }
}

/// The size of a picture that is `width` pixels wide.
fn scaled((width, height): (u32, u32), wanted: u32, caps: &Caps) -> Result<(u32, u32), MediaError> {
    let follows = (u64::from(wanted) * u64::from(height)) / u64::from(width.max(1));
    let pixels = u64::from(wanted).saturating_mul(follows);
    if wanted == 0 || pixels > caps.pixels {
        return Err(MediaError::too_large("the size asked for", pixels, caps.pixels, "pixels"));
    }
    Ok((wanted, u32::try_from(follows.max(1)).unwrap_or(u32::MAX)))
}

/// Brings pictures into size and colours of PNG.
#[derive(Default)]
struct Painter(Option<(scaling::Context, Conversion)>);

/// Size and colours before, size after.
type Conversion = (u32, u32, Pixel, u32, u32);

impl Painter {
    fn paint(&mut self, frame: &frame::Video, (width, height): (u32, u32)) -> Result<frame::Video, MediaError> {
        let key = (frame.width(), frame.height(), frame.format(), width, height);
        let failed = |error: ffmpeg::Error| MediaError::Input(format!("a picture could not be converted: {error}"));
        let scaler = match &mut self.0 {
            Some((scaler, of)) if *of == key => scaler,
            other => {
                let flags = scaling::Flags::BICUBIC;
                let made = scaling::Context::get(key.2, key.0, key.1, Pixel::RGBA, width, height, flags);
                &mut other.insert((made.map_err(failed)?, key)).0
            }
        };
        let mut painted = frame::Video::empty();
        scaler.run(frame, &mut painted).map_err(failed)?;
        Ok(painted)
    }
}

/// A picture as the bytes of a PNG file.
fn png(frame: &frame::Video) -> Result<Vec<u8>, MediaError> {
    let missing = || MediaError::Output("this FFmpeg was built without the encoder png".into());
    let codec = encoder::find_by_name("png").ok_or_else(missing)?;
    let mut encoder = Context::new_with_codec(codec).encoder().video().map_err(MediaError::output)?;
    encoder.set_width(frame.width());
    encoder.set_height(frame.height());
    encoder.set_format(frame.format());
    encoder.set_time_base(Rational::new(1, 25));
    let options = [("threads", "1"), ("pred", "mixed")].into_iter().collect();
    let mut encoder = encoder.open_as_with(codec, options).map_err(MediaError::output)?;
    encoder.send_frame(frame).map_err(MediaError::output)?;
    encoder.send_eof().map_err(MediaError::output)?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(MediaError::output)?;
    Ok(packet.data().unwrap_or_default().to_vec())
}

/// A sheet in the making.
struct Canvas {
    frame: frame::Video,
    columns: u32,
    cell: (u32, u32),
}

impl Canvas {
    fn new(columns: u32, rows: u32, cell: (u32, u32), caps: &Caps) -> Result<Canvas, MediaError> {
        let width = columns * (cell.0 + GAP) + GAP;
        let height = rows * (cell.1 + GAP) + GAP;
        let pixels = u64::from(width) * u64::from(height);
        if pixels > caps.pixels {
            return Err(MediaError::too_large("the sheet", pixels, caps.pixels, "pixels"));
        }
        let mut frame = frame::Video::new(Pixel::RGBA, width, height);
        frame.data_mut(0).fill(255);
        Ok(Canvas { frame, columns, cell })
    }

    /// Puts a picture of the cell's size at the `n`th place.
    fn put(&mut self, n: u32, picture: &frame::Video) {
        let left = (GAP + (n % self.columns) * (self.cell.0 + GAP)) as usize * 4;
        let top = (GAP + (n / self.columns) * (self.cell.1 + GAP)) as usize;
        let (from, to) = (picture.stride(0), self.frame.stride(0));
        let bytes = self.cell.0 as usize * 4;
        for row in 0..self.cell.1 as usize {
            let source = picture.data(0).get(row * from..row * from + bytes);
            let target = self.frame.data_mut(0).get_mut((top + row) * to + left..(top + row) * to + left + bytes);
            if let (Some(source), Some(target)) = (source, target) {
                target.copy_from_slice(source);
            }
        }
    }
}
