//! Edits: what a conversion changes, checked, and the filters that do it.

use serde::{Deserialize, Serialize};

use crate::{Caps, Format, MediaError};

/// Pictures a second: more are not written.
const MAX_FPS: f64 = 60.0;
/// How much faster or slower.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.05..=100.0;

/// A conversion. What is not given stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// What to write.
    pub format: Format,
    /// Seconds of the input at which to begin.
    #[serde(default)]
    pub start_s: Option<f64>,
    /// Seconds of the input at which to end.
    #[serde(default)]
    pub end_s: Option<f64>,
    /// 2 is twice as fast, 0.5 half; 0.05 to 100.
    #[serde(default)]
    pub speed: Option<f64>,
    /// Pixels; with `width` or `height` alone the other follows.
    #[serde(default)]
    pub width: Option<u32>,
    /// Pixels.
    #[serde(default)]
    pub height: Option<u32>,
    /// Left, top, width and height in pixels of the input.
    #[serde(default)]
    pub crop: Option<[u32; 4]>,
    /// Degrees clockwise, a multiple of 90.
    #[serde(default)]
    pub rotate: Option<i32>,
    /// Pictures a second, at most 60. Default: as many as there are.
    #[serde(default)]
    pub fps: Option<f64>,
    /// Leave the sound out.
    #[serde(default)]
    pub mute: bool,
}

impl Edit {
    /// Another format and nothing else.
    #[must_use]
    pub fn to(format: Format) -> Edit {
        Edit {
            format,
            start_s: None,
            end_s: None,
            speed: None,
            width: None,
            height: None,
            crop: None,
            rotate: None,
            fps: None,
            mute: false,
        }
    }

    pub(crate) fn check(&self) -> Result<(), MediaError> {
        let request = |message: String| Err(MediaError::request(message));
        let (start, end) = (self.start_s.unwrap_or(0.0), self.end_s.unwrap_or(f64::MAX));
        if !(start >= 0.0 && start.is_finite()) {
            return request(format!("start: {start} is no time; use seconds from the beginning"));
        }
        if end.is_nan() || end <= start {
            return request(format!("end: {end} s is not after the start, {start} s"));
        }
        if let Some(speed) = self.speed.filter(|speed| !SPEEDS.contains(speed)) {
            return request(format!("speed: {speed} is out of range; 2 is twice as fast, 0.5 half (0.05 to 100)"));
        }
        if let Some(fps) = self.fps.filter(|fps| !(*fps > 0.0 && *fps <= MAX_FPS)) {
            return request(format!("fps: {fps} is out of range; use more than 0 and at most {MAX_FPS}"));
        }
        if let Some(degrees) = self.rotate.filter(|degrees| degrees % 90 != 0) {
            return request(format!("rotate: {degrees} is no multiple of 90 degrees"));
        }
        if self.width == Some(0) || self.height == Some(0) {
            return request("width and height are at least 1 pixel".into());
        }
        Ok(())
    }

    pub(crate) fn speed(&self) -> f64 {
        self.speed.unwrap_or(1.0)
    }

    /// Pictures a second of the output, by those of the input.
    pub(crate) fn fps(&self, of_input: f64) -> f64 {
        let natural = if of_input > 0.0 && of_input.is_finite() { of_input } else { 25.0 };
        self.fps.unwrap_or((natural * self.speed()).clamp(1.0, MAX_FPS))
    }

    /// The size of the output and the filters on the way there. `turned` are the degrees clockwise by which the input
    /// asks to be shown.
    pub(crate) fn shape(&self, size: (u32, u32), turned: i32, caps: &Caps) -> Result<Shape, MediaError> {
        let mut filters = turn(turned);
        let mut size = if turned.rem_euclid(180) == 90 { (size.1, size.0) } else { size };
        if let Some([left, top, width, height]) = self.crop {
            let fits =
                |at: u32, length: u32, all: u32| length > 0 && at.checked_add(length).is_some_and(|to| to <= all);
            if !fits(left, width, size.0) || !fits(top, height, size.1) {
                return Err(MediaError::request(format!(
                    "crop: {width} × {height} pixels at {left}, {top} do not lie within the picture of {} × {}",
                    size.0, size.1
                )));
            }
            filters.push(format!("crop={width}:{height}:{left}:{top}:exact=1"));
            size = (width, height);
        }
        if let Some(degrees) = self.rotate {
            filters.extend(turn(degrees));
            if degrees.rem_euclid(180) == 90 {
                size = (size.1, size.0);
            }
        }
        let follow = |given: u32, of: u32, other: u32| {
            u32::try_from((u64::from(given) * u64::from(other)).div_ceil(u64::from(of.max(1)))).unwrap_or(u32::MAX)
        };
        let wanted = match (self.width, self.height) {
            (None, None) => size,
            (Some(width), Some(height)) => (width, height),
            (Some(width), None) => (width, follow(width, size.0, size.1)),
            (None, Some(height)) => (follow(height, size.1, size.0), height),
        };
        // Half as many colour samples as pixels in both directions: an odd size has no such half.
        let even = |pixels: u32| if self.format == Format::Gif { pixels.max(1) } else { (pixels & !1).max(2) };
        let wanted = (even(wanted.0), even(wanted.1));
        let pixels = u64::from(wanted.0) * u64::from(wanted.1);
        if pixels > caps.pixels {
            return Err(MediaError::too_large("the size asked for", pixels, caps.pixels, "pixels"));
        }
        filters.push(format!("scale={}:{}:flags=bicubic", wanted.0, wanted.1));
        filters.push("setsar=1".into());
        Ok(Shape { size: wanted, filters })
    }

    /// `trim` or `atrim` with its numbers, if there is something to cut.
    pub(crate) fn trim(&self, filter: &str) -> Option<String> {
        let start = self.start_s.unwrap_or(0.0);
        match self.end_s {
            Some(end) => Some(format!("{filter}=start={start:.6}:end={end:.6}")),
            None if start > 0.0 => Some(format!("{filter}=start={start:.6}")),
            None => None,
        }
    }
}

/// Size of the output and the filters on the way there.
pub(crate) struct Shape {
    pub(crate) size: (u32, u32),
    pub(crate) filters: Vec<String>,
}

fn turn(degrees: i32) -> Vec<String> {
    let names: &[&str] = match degrees.rem_euclid(360) {
        90 => &["transpose=clock"],
        180 => &["hflip", "vflip"],
        270 => &["transpose=cclock"],
        _ => &[],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}
