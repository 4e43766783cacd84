//! Probe: what is in a file, without decoding it.

use std::f64::consts::PI;

use ffmpeg_next as ffmpeg;

use ffmpeg::codec::packet::side_data;
use ffmpeg::{Stream, codec, format, media};
use serde::{Deserialize, Serialize};

use crate::source::Source;
use crate::{Caps, Input, MediaError};

/// What is in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Container, such as `mp4`, `matroska`, `gif`.
    pub format: String,
    /// Of the whole file; 0 if it does not say.
    pub duration_ms: u64,
    /// In the order of the file.
    pub streams: Vec<StreamProbe>,
}

/// One stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamProbe {
    /// `video`, `audio`, `subtitle` or `other`.
    pub kind: String,
    /// Such as `h264`, `aac`.
    pub codec: String,
    /// Pixels as shown; 0 without picture.
    pub width: u32,
    /// Pixels as shown; 0 without picture.
    pub height: u32,
    /// Pictures in a second, on average; 0 without picture.
    pub frames_per_second: f64,
    /// Pictures in the stream, counted or from rate and duration; 0 if unknown.
    pub frames: u64,
    /// Channels of sound; 0 without sound.
    pub channels: u32,
    /// Samples of sound in a second; 0 without sound.
    pub sample_rate: u32,
}

pub(crate) fn probe(input: Input, caps: &Caps) -> Result<Probe, MediaError> {
    let opened = Source::from(input).open(caps)?;
    let seconds = opened.seconds();
    let streams = opened.input.streams().map(|stream| describe(&stream, seconds)).collect();
    Ok(Probe { format: short_name(&opened.input), duration_ms: (seconds * 1000.0).round() as u64, streams })
}

/// FFmpeg names a family (`mov,mp4,m4a,3gp,3g2,mj2`); people know its best known member.
fn short_name(input: &format::context::Input) -> String {
    let format = input.format();
    let name = format.name();
    let known = ["mp4", "webm", "matroska"].into_iter().find(|known| name.split(',').any(|one| one == *known));
    match known {
        // Matroska and WebM are one family too; the codecs tell them apart.
        Some("webm") if !input.streams().all(|stream| is_web(stream.parameters().id())) => "matroska".to_owned(),
        Some(known) => known.to_owned(),
        None => name.split(',').next().unwrap_or(name).to_owned(),
    }
}

fn is_web(codec: codec::Id) -> bool {
    matches!(codec, codec::Id::VP8 | codec::Id::VP9 | codec::Id::AV1 | codec::Id::OPUS | codec::Id::VORBIS)
}

fn describe(stream: &Stream<'_>, of_file: f64) -> StreamProbe {
    let parameters = stream.parameters();
    let mut probe = StreamProbe { codec: parameters.id().name().to_owned(), ..StreamProbe::default() };
    probe.kind = match parameters.medium() {
        media::Type::Video => "video",
        media::Type::Audio => "audio",
        media::Type::Subtitle => "subtitle",
        _ => "other",
    }
    .to_owned();
    let context = codec::context::Context::from_parameters(parameters);
    match (probe.kind.as_str(), context) {
        ("video", Ok(context)) => {
            if let Ok(video) = context.decoder().video() {
                (probe.width, probe.height) = (video.width(), video.height());
                if rotation(stream).rem_euclid(180) == 90 {
                    (probe.width, probe.height) = (video.height(), video.width());
                }
            }
            probe.frames_per_second = frame_rate(stream);
            let own = stream.duration().max(0) as f64 * f64::from(stream.time_base());
            let seconds = if own > 0.0 { own } else { of_file };
            let counted = u64::try_from(stream.frames()).unwrap_or(0);
            probe.frames = if counted > 0 { counted } else { (seconds * probe.frames_per_second).round() as u64 };
        }
        ("audio", Ok(context)) => {
            if let Ok(audio) = context.decoder().audio() {
                (probe.channels, probe.sample_rate) = (audio.channels().into(), audio.rate());
            }
        }
        _ => {}
    }
    probe
}

/// Pictures in a second, on average; 0 if unknown.
pub(crate) fn frame_rate(stream: &Stream<'_>) -> f64 {
    let usable = |rate: ffmpeg::Rational| {
        let rate = f64::from(rate);
        (rate.is_finite() && rate > 0.0 && rate <= 1000.0).then_some(rate)
    };
    usable(stream.avg_frame_rate()).or_else(|| usable(stream.rate())).unwrap_or(0.0)
}

/// Degrees clockwise by which a stream asks to be shown, a multiple of 90: telephones film lying and say so.
pub(crate) fn rotation(stream: &Stream<'_>) -> i32 {
    let matrix = stream.side_data().find(|data| data.kind() == side_data::Type::DisplayMatrix);
    let Some(matrix) = matrix else { return 0 };
    let cell = |at: usize| {
        let bytes = matrix.data().get(4 * at..4 * at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
        // 16.16 fixed point, see libavutil/display.h.
        bytes.map_or(0.0, |bytes| f64::from(i32::from_ne_bytes(bytes)) / 65536.0)
    };
    let degrees = cell(1).atan2(cell(0)) * 180.0 / PI;
    (degrees / 90.0).round() as i32 * 90
}
