//! What may be read and what can be written. Everything that is not listed here is refused by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Containers that may be read: FFmpeg's names of demuxers. None of them opens further files, as playlists do.
pub(crate) const DEMUXERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mp3,wav,flac,ogg,aac,mpeg,mpegts,flv,\
                                   apng,png_pipe,jpeg_pipe,webp_pipe,bmp_pipe";
/// The part of [`DEMUXERS`] that holds pictures one after the other.
pub(crate) const PICTURE_DEMUXERS: &str = "png_pipe,jpeg_pipe";

/// Codecs that may be decoded: FFmpeg's names of decoders.
pub(crate) const DECODERS: &[&str] = &[
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "libdav1d",
    "av1",
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "mjpeg",
    "gif",
    "png",
    "apng",
    "webp",
    "bmp",
    "flv",
    "h263",
    "theora",
    "prores",
    "rawvideo",
    "msmpeg4v2",
    "msmpeg4",
    "aac",
    "mp3",
    "mp3float",
    "mp2",
    "mp2float",
    "opus",
    "vorbis",
    "flac",
    "alac",
    "ac3",
    "eac3",
    "pcm_s16le",
    "pcm_s16be",
    "pcm_s24le",
    "pcm_s32le",
    "pcm_f32le",
    "pcm_f64le",
    "pcm_u8",
    "pcm_alaw",
    "pcm_mulaw",
    "adpcm_ms",
    "adpcm_ima_wav",
];

/// What can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// H.264 and AAC.
    Mp4,
    /// H.264 and AAC in QuickTime's container.
    Mov,
    /// H.264 and AAC in Matroska.
    Mkv,
    /// VP9 and Opus.
    Webm,
    /// An animation without sound; a palette for each picture.
    Gif,
    /// MPEG layer 3.
    Mp3,
    /// AAC.
    M4a,
    /// Samples of 16 bits.
    Wav,
    /// Without loss.
    Flac,
    /// Opus.
    Ogg,
}

impl Format {
    /// The format by the name of a file or its ending, such as `clip.mp4` or `mp4`.
    #[must_use]
    pub fn of(name: &str) -> Option<Format> {
        Some(match name.rsplit('.').next()?.to_ascii_lowercase().as_str() {
            "mp4" | "m4v" => Format::Mp4,
            "mov" => Format::Mov,
            "mkv" => Format::Mkv,
            "webm" => Format::Webm,
            "gif" => Format::Gif,
            "mp3" => Format::Mp3,
            "m4a" => Format::M4a,
            "wav" => Format::Wav,
            "flac" => Format::Flac,
            "ogg" | "opus" | "oga" => Format::Ogg,
            _ => return None,
        })
    }

    /// Whether it holds pictures.
    #[must_use]
    pub fn has_pictures(self) -> bool {
        matches!(self, Format::Mp4 | Format::Mov | Format::Mkv | Format::Webm | Format::Gif)
    }

    /// Whether it holds sound.
    #[must_use]
    pub fn has_sound(self) -> bool {
        self != Format::Gif
    }

    pub(crate) fn muxer(self) -> &'static str {
        match self {
            Format::Mp4 => "mp4",
            Format::Mov => "mov",
            Format::Mkv => "matroska",
            Format::Webm => "webm",
            Format::Gif => "gif",
            Format::Mp3 => "mp3",
            Format::M4a => "ipod",
            Format::Wav => "wav",
            Format::Flac => "flac",
            Format::Ogg => "ogg",
        }
    }

    /// Encoder of pictures with its options, and the pixel format that it takes.
    pub(crate) fn video(self) -> Option<Encoder> {
        Some(match self {
            Format::Mp4 | Format::Mov | Format::Mkv => Encoder {
                name: "libx264",
                // One thread and no look-ahead thread: the same input gives the same bytes.
                options: x264(),
                layout: "yuv420p",
            },
            Format::Webm => Encoder {
                name: "libvpx-vp9",
                options: &[("crf", "32"), ("b", "0"), ("deadline", "good"), ("cpu-used", "4"), ("row-mt", "0")],
                layout: "yuv420p",
            },
            Format::Gif => Encoder { name: "gif", options: &[], layout: "pal8" },
            _ => return None,
        })
    }

    /// Encoder of sound with its options, and the sample format that it takes.
    pub(crate) fn audio(self) -> Option<Encoder> {
        Some(match self {
            Format::Mp4 | Format::Mov | Format::Mkv | Format::M4a => {
                Encoder { name: "aac", options: &[("b", "160000")], layout: "fltp" }
            }
            Format::Webm | Format::Ogg => Encoder { name: "libopus", options: &[("b", "128000")], layout: "flt" },
            Format::Mp3 => Encoder { name: "libmp3lame", options: &[("b", "192000")], layout: "fltp" },
            Format::Wav => Encoder { name: "pcm_s16le", options: &[], layout: "s16" },
            Format::Flac => Encoder { name: "flac", options: &[], layout: "s16" },
            Format::Gif => return None,
        })
    }

    /// Samples a second that the encoder takes, the nearest to those of the input.
    pub(crate) fn rate(self, of_input: u32) -> u32 {
        match self {
            Format::Webm | Format::Ogg => 48_000,
            _ if of_input >= 48_000 => 48_000,
            _ if of_input >= 44_100 => 44_100,
            _ if of_input >= 32_000 => 32_000,
            _ if of_input >= 22_050 => 22_050,
            _ => 16_000,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Mp4 => "mp4",
            Format::Mov => "mov",
            Format::Mkv => "mkv",
            Format::Webm => "webm",
            Format::Gif => "gif",
            Format::Mp3 => "mp3",
            Format::M4a => "m4a",
            Format::Wav => "wav",
            Format::Flac => "flac",
            Format::Ogg => "ogg",
        })
    }
}

/// An encoder, its options, and the pixel or sample format that it takes.
pub(crate) struct Encoder {
    pub(crate) name: &'static str,
    pub(crate) options: &'static [(&'static str, &'static str)],
    pub(crate) layout: &'static str,
}

/// What libx264 is told. Its AVX-512 code reads memory that nobody wrote for pictures less than 100 pixels wide (build
/// 164), so that the same input gives other bytes; without that code they are also the same on every machine.
fn x264() -> &'static [(&'static str, &'static str)] {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return &[("preset", "medium"), ("crf", "20"), ("x264-params", "threads=1:lookahead-threads=1:asm=AVX2")];
    }
    &[("preset", "medium"), ("crf", "20"), ("x264-params", "threads=1:lookahead-threads=1")]
}
