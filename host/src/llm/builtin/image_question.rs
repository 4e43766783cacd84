//! Question about images and animations → [`ImageTask`].

use super::plan::{Change, ImagePlan, ImageTask, Plan};
use super::words::{Token, stem};
use crate::engine::sample::{Content, Sample};

/// Largest side that a question may ask for, in pixels.
const MAX_SIDE: f64 = 4000.0;
/// Most files that one program goes through.
const MAX_FILES: usize = 50;

/// The plan for image files: an animation is preferred when the task is about frames.
pub fn plan(task: Option<ImageTask>, images: &[&Sample]) -> Plan {
    let task = task.unwrap_or(ImageTask::Facts { understood: false });
    let animated = |sample: &&&Sample| matches!(&sample.content, Content::Image(facts) if facts.frames > 1);
    let moving: Vec<&&Sample> = images.iter().filter(animated).collect();
    let about_time = match &task {
        ImageTask::Frames { .. } | ImageTask::ContactSheet => true,
        ImageTask::Edit { changes, .. } => changes.iter().any(|change| {
            matches!(
                change,
                Change::Speed(_) | Change::Reverse | Change::Boomerang | Change::FirstFrames(_) | Change::EveryFrame(_)
            )
        }),
        _ => false,
    };
    let files = if about_time && !moving.is_empty() {
        moving.iter().map(|s| s.name.clone()).collect()
    } else {
        images.iter().map(|s| s.name.clone()).collect::<Vec<_>>()
    };
    Plan::Image(ImagePlan { files: files.into_iter().take(MAX_FILES).collect(), task })
}

/// What a question wants done with an image; `None` if it says nothing about one.
pub fn task(tokens: &[Token]) -> Option<ImageTask> {
    let reading = Reading { tokens };
    if reading.says("contact sheet")
        || reading.has(&["contactsheet", "montage", "collage", "storyboard", "filmstrip"])
        || (reading.has(&["grid"]) && reading.has(&["frame"]))
    {
        return Some(ImageTask::ContactSheet);
    }
    let keep_first = reading.first_frames();
    let extracts = reading.has(&["extract", "split", "export", "separate", "explode", "dump", "unpack"])
        || reading.says("save all")
        || reading.says("each frame")
        || reading.says("every frame");
    if reading.has(&["frame"]) && extracts && keep_first.is_none() {
        return Some(ImageTask::Frames { step: reading.nth().unwrap_or(1) });
    }
    let changes = reading.changes(keep_first);
    let format = reading.format();
    if !changes.is_empty() || format.is_some() {
        return Some(ImageTask::Edit { changes, format });
    }
    if reading.has(&["color", "colour", "palette"]) {
        return Some(ImageTask::Colors);
    }
    let facts = reading.has(&[
        "fact",
        "frame",
        "size",
        "dimension",
        "duration",
        "width",
        "height",
        "describe",
        "overview",
        "info",
        "information",
        "pixel",
        "resolution",
        "metadata",
        "detail",
        "large",
        "long",
        "big",
        "summary",
        "summarise",
        "summarize",
        "probe",
    ]) || (reading.says("what is") && reading.has(&["image", "picture", "gif", "file"]));
    facts.then_some(ImageTask::Facts { understood: true })
}

struct Reading<'a> {
    tokens: &'a [Token],
}

impl Reading<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    fn has(&self, stems: &[&str]) -> bool {
        self.tokens
            .iter()
            .any(|token| stems.contains(&stem(&token.text).as_str()) || stems.contains(&token.text.as_str()))
    }

    fn says(&self, phrase: &str) -> bool {
        let length = phrase.split(' ').count();
        self.tokens.windows(length).any(|window| window.iter().map(|token| token.text.as_str()).eq(phrase.split(' ')))
    }

    /// Numbers with the words before and after them.
    fn numbers(&self) -> impl Iterator<Item = (f64, usize)> + '_ {
        self.tokens.iter().enumerate().filter_map(|(at, token)| Some((token.number()?, at)))
    }

    /// `every 3rd frame`, `every third frame`.
    fn nth(&self) -> Option<usize> {
        let ordinals =
            [("second", 2), ("other", 2), ("2nd", 2), ("third", 3), ("fourth", 4), ("fifth", 5), ("tenth", 10)];
        let at = self.tokens.iter().position(|token| matches!(token.text.as_str(), "every" | "each"))?;
        let word = self.text(at + 1);
        let number = self.tokens.get(at + 1).and_then(Token::number).map(|n| n.clamp(1.0, 1000.0) as usize);
        ordinals.iter().find(|(name, _)| *name == word).map(|(_, n)| *n).or(number).filter(|n| *n > 1)
    }

    fn first_frames(&self) -> Option<usize> {
        let at = self.tokens.iter().position(|token| token.text == "first")?;
        let count = self.tokens.get(at + 1).and_then(Token::number).unwrap_or(1.0);
        let near = (at + 1..at + 3).any(|next| stem(self.text(next)) == "frame");
        near.then_some(count.clamp(1.0, 10_000.0) as usize)
    }

    fn changes(&self, keep_first: Option<usize>) -> Vec<Change> {
        let mut changes = Vec::new();
        changes.extend(keep_first.map(Change::FirstFrames));
        if self.has(&["frame"]) {
            changes.extend(self.nth().map(Change::EveryFrame));
        }
        changes.extend(self.crop());
        changes.extend(self.resize());
        changes.extend(self.rotation());
        if self.has(&["mirror", "mirrored"])
            || (self.has(&["flip", "flipped"]) && !self.has(&["vertical", "vertically", "upside"]))
        {
            changes.push(Change::Mirror);
        } else if self.has(&["flip", "flipped"]) {
            changes.push(Change::Flip);
        }
        if self.has(&["grayscale", "greyscale", "gray", "grey", "monochrome"]) || self.says("black and white") {
            changes.push(Change::Grayscale);
        }
        changes.extend(self.speed());
        if self.has(&["boomerang"]) || (self.says("back and forth")) {
            changes.push(Change::Boomerang);
        } else if self.has(&["reverse", "reversed", "backward", "rewind"]) {
            changes.push(Change::Reverse);
        }
        changes
    }

    fn crop(&self) -> Option<Change> {
        if !self.has(&["crop", "cropped", "trim", "cut"]) || (self.has(&["frame"]) && !self.has(&["crop"])) {
            return None;
        }
        let sides: Vec<u32> = self.numbers().map(|(n, _)| n.clamp(0.0, MAX_SIDE * 4.0) as u32).collect();
        Some(match sides[..] {
            [left, top, right, bottom, ..] if right > left && bottom > top => Change::CropBox(left, top, right, bottom),
            [width, height, ..] if width > 0 && height > 0 => Change::CropCentre(Some((width, height))),
            [side] if side > 0 => Change::CropCentre(Some((side, side))),
            _ => Change::CropCentre(None),
        })
    }

    fn resize(&self) -> Option<Change> {
        let pixels = |value: f64| value.clamp(1.0, MAX_SIDE) as u32;
        if self.has(&["thumbnail", "thumb", "preview"]) {
            return Some(Change::Fit(self.numbers().next().map_or(128, |(n, _)| pixels(n))));
        }
        if self.has(&["crop", "cropped"]) {
            return None;
        }
        let asked = self.has(&[
            "resize",
            "resized",
            "scale",
            "scaled",
            "shrink",
            "enlarge",
            "smaller",
            "bigger",
            "larger",
            "downscale",
            "upscale",
            "rescale",
            "width",
            "wide",
            "tall",
            "height",
            "size",
            "px",
            "pixel",
        ]);
        if !asked
            || self.says("how large")
            || self.says("what size")
            || self.says("how wide")
            || self.says("what is")
            || self.says("how tall")
        {
            return None;
        }
        for (value, at) in self.numbers() {
            if matches!(self.text(at + 1), "x" | "×" | "by" | ",")
                && self.tokens.get(at + 2).and_then(Token::number).is_some()
            {
                let height = self.tokens.get(at + 2).and_then(Token::number).map_or(1, pixels);
                return Some(Change::Resize { width: Some(pixels(value)), height: Some(height) });
            }
            let percent = matches!(self.text(at + 1), "%" | "percent");
            if percent && value > 0.0 {
                return Some(Change::Scale((value / 100.0).clamp(0.01, 8.0)));
            }
            if matches!(self.text(at + 1), "times" | "x")
                && value > 0.0
                && !self.has(&["fast", "faster", "slow", "slower", "speed"])
            {
                let factor = if self.has(&["smaller", "shrink", "downscale"]) { 1.0 / value } else { value };
                return Some(Change::Scale(factor.clamp(0.01, 8.0)));
            }
            if matches!(self.text(at + 1), "px" | "pixels" | "pixel" | "wide" | "tall" | "high" | "")
                || matches!(self.text(at.wrapping_sub(1)), "to" | "width" | "height" | "of")
            {
                if value < 1.0 || self.has(&["frame"]) && !self.has(&["px", "pixel", "wide", "width"]) {
                    continue;
                }
                let upright = self.has(&["tall", "high", "height"]) && !self.has(&["wide", "width"]);
                return Some(if upright {
                    Change::Resize { width: None, height: Some(pixels(value)) }
                } else {
                    Change::Resize { width: Some(pixels(value)), height: None }
                });
            }
        }
        let speeds = self.has(&["speed", "fast", "faster", "slow", "slower"]);
        if self.has(&["half", "halve", "smaller", "shrink", "downscale"]) && (!speeds || self.has(&["size", "smaller"]))
        {
            return Some(Change::Scale(if self.has(&["quarter"]) { 0.25 } else { 0.5 }));
        }
        (self.has(&["double", "bigger", "larger", "enlarge", "upscale", "twice"]) && !speeds)
            .then_some(Change::Scale(2.0))
    }

    fn rotation(&self) -> Option<Change> {
        if !self.has(&["rotate", "rotated", "rotation", "turn"]) {
            return None;
        }
        if self.says("upside down") {
            return Some(Change::Rotate(180.0));
        }
        let degrees = self.numbers().map(|(n, _)| n).find(|n| n.abs() <= 360.0).unwrap_or(90.0);
        let left = self.has(&["left", "counterclockwise", "anticlockwise", "counter"]);
        Some(Change::Rotate(if left { -degrees } else { degrees }))
    }

    fn speed(&self) -> Option<Change> {
        let slower =
            self.has(&["slow", "slower", "slowly", "slowed"]) || self.says("half speed") || self.says("half the speed");
        let faster = self.has(&["fast", "faster", "speed", "quicker", "accelerate"]);
        if !slower && !faster {
            return None;
        }
        let percent =
            self.numbers().find(|(_, at)| matches!(self.text(at + 1), "%" | "percent")).map(|(n, _)| n / 100.0);
        let times = self.numbers().find(|(_, at)| matches!(self.text(at + 1), "x" | "times" | "fold")).map(|(n, _)| n);
        let factor =
            times.or(percent.map(|p| if slower || p > 1.0 { p } else { 1.0 + p })).filter(|f| *f > 0.0).unwrap_or(2.0);
        let factor = if slower && factor >= 1.0 { 1.0 / factor } else { factor };
        Some(Change::Speed(factor.clamp(0.05, 20.0)))
    }

    fn format(&self) -> Option<&'static str> {
        let known = |word: &str| match word {
            "png" | "pngs" => Some("png"),
            "jpg" | "jpeg" => Some("jpg"),
            "gif" => Some("gif"),
            "webp" => Some("webp"),
            "apng" => Some("apng"),
            _ => None,
        };
        (1..self.tokens.len()).filter(|&at| matches!(self.text(at - 1), "to" | "as" | "into" | "a" | "an")).find_map(
            |at| {
                let format = known(self.text(at))?;
                // `make a gif twice as fast` names the source, not a format
                let article = matches!(self.text(at - 1), "a" | "an");
                (!article || (at > 1 && matches!(self.text(at - 2), "to" | "as" | "into"))).then_some(format)
            },
        )
    }
}
