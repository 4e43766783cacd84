//! Question about images, animations, video and sound → [`ImageTask`].

use super::plan::{Change, ImagePlan, ImageTask, Plan};
use super::words::{Token, stem};
use crate::engine::sample::{Content, Sample};

/// Largest side that a question may ask for, in pixels.
const MAX_SIDE: f64 = 4000.0;
/// Longest time that a question may name, in seconds.
const MAX_SECONDS: f64 = 86_400.0;
const SOUND: &[&str] = &["audio", "sound", "soundtrack", "music"];
/// Most files that one program goes through.
const MAX_FILES: usize = 50;

/// The plan for images and recordings: what moves is preferred when the task is about time, and what
/// only FFmpeg can do goes to it.
pub fn plan(task: Option<ImageTask>, files: &[&Sample]) -> Plan {
    let task = task.unwrap_or(ImageTask::Facts { understood: false });
    let recorded = |sample: &&&Sample| matches!(sample.content, Content::Media(_));
    let moving =
        |sample: &&&Sample| recorded(sample) || matches!(&sample.content, Content::Image(facts) if facts.frames > 1);
    let names = |wanted: &dyn Fn(&&&Sample) -> bool| -> Vec<String> {
        files.iter().filter(|sample| wanted(sample)).map(|sample| sample.name.clone()).take(MAX_FILES).collect()
    };
    let sounding = matches!(task, ImageTask::Sound { .. } | ImageTask::Join { .. });
    let mut chosen = if sounding || !files.iter().any(|sample| matches!(sample.content, Content::Image(_))) {
        names(&recorded)
    } else if about_time(&task) {
        names(&moving)
    } else {
        Vec::new()
    };
    if chosen.is_empty() {
        chosen = if matches!(task, ImageTask::Join { .. }) { names(&moving) } else { names(&|_| true) };
    }
    let filmed = |task: &ImageTask| match task {
        ImageTask::Sound { .. } | ImageTask::Join { .. } => true,
        ImageTask::Edit { changes, format } => {
            format.is_some_and(is_film) || changes.iter().any(|change| matches!(change, Change::Mute | Change::Rate(_)))
        }
        _ => false,
    };
    let recording = files.iter().any(|sample| chosen.first() == Some(&sample.name) && recorded(&sample));
    let task = match task {
        ImageTask::Edit { changes, .. } if recording && changes == [Change::FirstFrames(1)] => {
            ImageTask::FrameAt { seconds: 0.0 }
        }
        task => task,
    };
    let plan = ImagePlan { files: chosen, task };
    if recording || filmed(&plan.task) { Plan::Media(plan) } else { Plan::Image(plan) }
}

/// True for formats that FFmpeg writes and Pillow does not.
fn is_film(format: &str) -> bool {
    matches!(format, "mp4" | "webm" | "mov" | "mkv" | "mp3" | "m4a" | "ogg" | "flac" | "wav")
}

/// True for what makes no sense for a still picture.
fn about_time(task: &ImageTask) -> bool {
    match task {
        ImageTask::Frames { .. } | ImageTask::ContactSheet | ImageTask::FrameAt { .. } => true,
        ImageTask::Edit { changes, format } => {
            format.is_some_and(is_film)
                || changes.iter().any(|change| {
                    matches!(
                        change,
                        Change::Speed(_)
                            | Change::Reverse
                            | Change::Boomerang
                            | Change::FirstFrames(_)
                            | Change::EveryFrame(_)
                            | Change::Trim { .. }
                            | Change::CutEnd(_)
                            | Change::Rate(_)
                            | Change::Mute
                    )
                })
        }
        _ => false,
    }
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
    if reading.has(&["join", "concatenate", "concat", "merge", "stitch", "combine", "append"]) {
        return Some(ImageTask::Join {
            format: reading.format().filter(|f| matches!(*f, "webm" | "gif")).unwrap_or("mp4"),
        });
    }
    if let Some(format) = reading.sound() {
        return Some(ImageTask::Sound { format });
    }
    if let Some(seconds) = reading.frame_at() {
        return Some(ImageTask::FrameAt { seconds });
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
        "last",
        "codec",
        "fps",
        "stream",
        "big",
        "summary",
        "summarise",
        "summarize",
        "probe",
    ]) || (reading.says("what is") && reading.has(&["image", "picture", "gif", "file", "video", "clip"]));
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
        changes.extend(self.trim());
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
        changes.extend(self.rate());
        if self.has(&["mute", "muted", "silent"])
            || (self.has(&["remove", "without", "drop", "strip"]) && self.has(SOUND))
            || self.says("no sound")
        {
            changes.push(Change::Mute);
        }
        changes
    }

    /// `extract the audio`, `convert to mp3`.
    fn sound(&self) -> Option<&'static str> {
        let format = self.format().filter(|format| matches!(*format, "mp3" | "m4a" | "ogg" | "flac" | "wav"));
        let asked = self.has(SOUND)
            && self.has(&[
                "extract", "get", "save", "export", "convert", "only", "rip", "pull", "give", "turn", "separate",
            ])
            && !self.has(&["remove", "without", "drop", "strip"]);
        format.or(asked.then_some("mp3"))
    }

    /// `the frame at 2 seconds`, `a screenshot at 1.5 s`, `last frame` is not one.
    fn frame_at(&self) -> Option<f64> {
        if !self.has(&["frame", "screenshot", "still", "snapshot", "picture"]) {
            return None;
        }
        let (value, _) =
            self.seconds().into_iter().find(|(_, at)| matches!(self.text(at.wrapping_sub(1)), "at" | "after"))?;
        Some(value)
    }

    /// Numbers that are times, in seconds.
    fn seconds(&self) -> Vec<(f64, usize)> {
        let unit = |at: usize| match self.text(at + 1) {
            "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
            "ms" | "millisecond" | "milliseconds" => Some(0.001),
            "min" | "minute" | "minutes" => Some(60.0),
            _ => None,
        };
        let mut found: Vec<(f64, usize)> = Vec::new();
        for (value, at) in self.numbers().filter(|(value, _)| (0.0..=MAX_SECONDS).contains(value)) {
            // `from 1 to 4 seconds`: the unit comes with the last one.
            let shared = (at + 1..at + 4).find_map(|next| {
                let joins = matches!(self.text(at + 1), "to" | "and" | "until");
                (joins && self.tokens.get(next).is_some_and(|t| t.number().is_some())).then(|| unit(next)).flatten()
            });
            if let Some(unit) = unit(at).or(shared) {
                found.push((value * unit, at));
            }
        }
        if found.is_empty() && (self.says("first second") || self.says("last second")) {
            let at = self.tokens.iter().position(|token| token.text == "second").unwrap_or(1);
            found.push((1.0, at));
        }
        found
    }

    fn trim(&self) -> Option<Change> {
        let times = self.seconds();
        let removes = self.has(&["remove", "drop", "skip", "without", "off", "delete"])
            || (self.has(&["trim", "cut"])
                && !self.has(&["keep", "only"])
                && !self.says("cut to")
                && !self.says("trim to"));
        match times[..] {
            [] => None,
            [(start, _), (end, _), ..] if end > start => Some(Change::Trim { start: Some(start), end: Some(end) }),
            [(value, at), ..] => {
                let before = |word: &str| (at.saturating_sub(2)..at).any(|place| self.text(place) == word);
                if before("last") || before("final") {
                    removes.then_some(Change::CutEnd(value))
                } else if before("first") {
                    Some(if removes {
                        Change::Trim { start: Some(value), end: None }
                    } else {
                        Change::Trim { start: None, end: Some(value) }
                    })
                } else if before("from") || before("after") || before("start") || before("at") {
                    Some(Change::Trim { start: Some(value), end: None })
                } else {
                    (self.has(&["trim", "cut", "shorten", "keep", "clip"]))
                        .then_some(Change::Trim { start: None, end: Some(value) })
                }
            }
        }
    }

    fn rate(&self) -> Option<Change> {
        let at = self.numbers().find(|(value, at)| self.text(at + 1) == "fps" && (0.1..=120.0).contains(value));
        at.map(|(value, _)| Change::Rate(value))
    }

    fn crop(&self) -> Option<Change> {
        if !self.has(&["crop", "cropped", "trim", "cut"]) || (self.has(&["frame"]) && !self.has(&["crop"])) {
            return None;
        }
        if !self.has(&["crop", "cropped"]) && !self.seconds().is_empty() {
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
        // `turn it left`, but not `turn it into a video`
        let turns = self.has(&["turn"]) && self.has(&["left", "right", "degree", "°", "clockwise", "upside"]);
        if !turns && !self.has(&["rotate", "rotated", "rotation"]) {
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
            "mp4" | "video" | "movie" | "film" => Some("mp4"),
            "webm" => Some("webm"),
            "mkv" => Some("mkv"),
            "mov" => Some("mov"),
            "mp3" => Some("mp3"),
            "wav" => Some("wav"),
            "m4a" | "aac" => Some("m4a"),
            "ogg" | "opus" => Some("ogg"),
            "flac" => Some("flac"),
            _ => None,
        };
        (1..self.tokens.len()).filter(|&at| matches!(self.text(at - 1), "to" | "as" | "into" | "a" | "an")).find_map(
            |at| {
                let format = known(self.text(at))?;
                // `make a gif twice as fast` names the source, not a format
                let article = matches!(self.text(at - 1), "a" | "an");
                let made = matches!(self.text(at + 1), "of" | "from" | "out")
                    || (format != "gif"
                        && self.has(&["make", "create", "want", "need"])
                        && at + 1 == self.tokens.len());
                (!article || made || (at > 1 && matches!(self.text(at - 2), "to" | "as" | "into"))).then_some(format)
            },
        )
    }
}
