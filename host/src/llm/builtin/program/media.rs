//! Video and sound through FFmpeg, which the host offers to programs as `glovebox.media`.

use super::super::plan::{Change, ImagePlan, ImageTask};
use super::super::python::{py_list, py_number, py_str, slug};
use super::{Script, image};

/// Writes the program for recordings, and for animations that become one.
pub fn render(script: &mut Script, plan: &ImagePlan) {
    let Some(file) = plan.files.first() else { return super::text::files(script) };
    script.import("from glovebox import media");
    match &plan.task {
        ImageTask::Facts { .. } | ImageTask::Colors => facts(script, &plan.files),
        ImageTask::Frames { step } => frames(script, file, *step),
        ImageTask::FrameAt { seconds } => frame_at(script, file, *seconds),
        ImageTask::ContactSheet => sheet(script, file),
        ImageTask::Sound { format } => sound(script, file, format),
        ImageTask::Join { format } => join(script, &plan.files, format),
        ImageTask::Edit { changes, format } => edit(script, file, changes, *format),
    }
}

fn facts(script: &mut Script, files: &[String]) {
    script.import("import pandas as pd");
    script.line(format!("files = {}", py_list(files)));
    script.lines(
        "rows = []
for name in files:
    facts = media.probe(name)
    print(f\"{name}: {facts['format']}, {facts['duration_s']:.2f} seconds, {len(facts['streams'])} streams.\")
    rows += [{'file': name, **stream} for stream in facts['streams']]

result = pd.DataFrame(rows)
result.to_csv('media-facts.csv', index=False)
result",
    );
}

fn frames(script: &mut Script, file: &str, step: usize) {
    script.import("import zipfile");
    script.import("import pandas as pd");
    script.step(&format!("A picture every {step} s, and all of them in one archive"));
    script.line(format!("names = media.frames({}, every={step})", py_str(file)));
    script.lines(
        "with zipfile.ZipFile('frames.zip', 'w') as archive:
    for name in names:
        archive.write(name)
print(f'Wrote {len(names)} pictures and frames.zip.')
result = pd.DataFrame({'file': names})
result",
    );
}

fn frame_at(script: &mut Script, file: &str, seconds: f64) {
    script.import("from PIL import Image");
    let name = match seconds {
        0.0 => format!("{}-first-frame.png", stem(file)),
        _ => format!("{}-frame-at-{}.png", stem(file), slug(&py_number(seconds), "-")),
    };
    script.line(format!("output = {}", py_str(&name)));
    script.line(format!("media.frames({}, output, times=[{}])", py_str(file), py_number(seconds)));
    script.line("result = Image.open(output)");
    script.line("print(f'{output}: {result.width} x {result.height} pixels.')");
    script.line("result");
}

fn sheet(script: &mut Script, file: &str) {
    script.import("from PIL import Image");
    script.line(format!("media.contact_sheet({}, 'contact-sheet.png', cols=4)", py_str(file)));
    script.line("result = Image.open('contact-sheet.png')");
    script.line("print(f'A sheet of {result.width} x {result.height} pixels: contact-sheet.png.')");
    script.line("result");
}

fn sound(script: &mut Script, file: &str, format: &str) {
    script.line(format!("output = {}", py_str(&format!("{}.{format}", stem(file)))));
    script.line(format!("media.extract_audio({}, output)", py_str(file)));
    told(script);
}

fn join(script: &mut Script, files: &[String], format: &str) {
    script.line(format!("files = {}", py_list(files)));
    script.line(format!("output = {}", py_str(&format!("joined.{format}"))));
    script.line("media.concatenate(files, output)");
    script.line("print(f'{len(files)} files one after the other.')");
    told(script);
}

fn edit(script: &mut Script, file: &str, changes: &[Change], format: Option<&'static str>) {
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending).to_lowercase();
    let kept = match ending.as_str() {
        "webm" => "webm",
        "gif" => "gif",
        _ => "mp4",
    };
    let format = format.unwrap_or(kept);
    let mut source = py_str(file);
    let mut left: Vec<&Change> = changes.iter().collect();
    if ending == "gif" && changes.iter().any(|change| !filmed(change)) {
        // What FFmpeg is not asked for here, Pillow does to the frames first.
        script.line("# Pillow changes the frames, FFmpeg encodes them");
        image::changed(script, file, changes);
        script.line(
            "frames[0].save('frames.gif', save_all=True, append_images=frames[1:], duration=durations, disposal=2)",
        );
        source = "'frames.gif'".into();
        left.clear();
    }
    let mut name = stem(file);
    for change in changes {
        name = format!("{name}-{}", image::suffix(change));
    }
    if changes.is_empty() && ending == format {
        name += "-copy";
    }
    let mut arguments = Vec::new();
    let sized = |change: &&&Change| {
        matches!(
            change,
            Change::Scale(_)
                | Change::Fit(_)
                | Change::CropCentre(_)
                | Change::CropBox(..)
                | Change::CutEnd(_)
                | Change::FirstFrames(_)
                | Change::EveryFrame(_)
        )
    };
    if left.iter().any(|change| sized(&change)) {
        script.line(format!("facts = media.probe({source})"));
    }
    for change in left {
        argument(script, change, &mut arguments);
    }
    script.line(format!("output = {}", py_str(&format!("{name}.{format}"))));
    let mut call = format!("media.convert({source}, output");
    for argument in arguments {
        call += &format!(", {argument}");
    }
    script.line(format!("{call})"));
    told(script);
}

/// True for changes that `media.convert` has an argument for.
fn filmed(change: &Change) -> bool {
    !matches!(change, Change::Mirror | Change::Flip | Change::Grayscale | Change::Reverse | Change::Boomerang)
        && !matches!(change, Change::Rotate(degrees) if degrees % 90.0 != 0.0)
}

fn argument(script: &mut Script, change: &Change, arguments: &mut Vec<String>) {
    match change {
        Change::Resize { width, height } => {
            arguments.extend(width.map(|width| format!("width={width}")));
            arguments.extend(height.map(|height| format!("height={height}")));
        }
        Change::Scale(factor) => {
            script.line(format!("width = max(2, round(facts['width'] * {} / 2) * 2)", py_number(*factor)));
            arguments.push("width=width".into());
        }
        Change::Fit(side) => {
            script.line(format!(
                "width = max(2, round(facts['width'] * min(1, {side} / max(facts['width'], facts['height'])) / 2) * 2)"
            ));
            arguments.push("width=width".into());
        }
        Change::CropCentre(size) => {
            match size {
                Some((width, height)) => {
                    script.line(format!("width, height = min({width}, facts['width']), min({height}, facts['height'])"))
                }
                None => script.line("width = height = min(facts['width'], facts['height'])"),
            }
            script.line("left, top = (facts['width'] - width) // 2, (facts['height'] - height) // 2");
            arguments.push("crop=(left, top, width, height)".into());
        }
        Change::CropBox(left, top, right, bottom) => {
            script.line(format!("right, bottom = min({right}, facts['width']), min({bottom}, facts['height'])"));
            script.line(format!("left, top = min({left}, right - 2), min({top}, bottom - 2)"));
            arguments.push("crop=(left, top, right - left, bottom - top)".into());
        }
        Change::Rotate(degrees) => {
            let degrees = degrees.rem_euclid(360.0);
            if degrees % 90.0 == 0.0 {
                arguments.push(format!("rotate={degrees}"));
            } else {
                script.line("print('Video is turned by 90, 180 or 270 degrees only, so it was left as it is.')");
            }
        }
        Change::Speed(factor) => arguments.push(format!("speed={}", py_number(*factor))),
        Change::Trim { start, end } => {
            arguments.extend(start.map(|start| format!("start={}", py_number(start))));
            arguments.extend(end.map(|end| format!("end={}", py_number(end))));
        }
        Change::CutEnd(seconds) => {
            script.line(format!("end = max(0.1, facts['duration_s'] - {})", py_number(*seconds)));
            arguments.push("end=end".into());
        }
        Change::FirstFrames(count) => {
            script.line(format!("end = {count} / facts['fps']"));
            arguments.push("end=end".into());
        }
        Change::EveryFrame(step) => {
            script.line(format!("rate = facts['fps'] / {step}"));
            arguments.push("fps=rate".into());
        }
        Change::Rate(rate) => arguments.push(format!("fps={}", py_number(*rate))),
        Change::Mute => arguments.push("mute=True".into()),
        Change::Mirror | Change::Flip | Change::Grayscale | Change::Reverse | Change::Boomerang => {
            let what = match change {
                Change::Mirror | Change::Flip => "mirrored",
                Change::Grayscale => "made grey",
                _ => "played backwards",
            };
            script.line(format!("print('Video cannot be {what} here, so that part of the question was left out.')"));
        }
    }
}

/// Says what was made.
fn told(script: &mut Script) {
    script.lines(
        "
made = media.probe(output)
print(f\"{output}: {made['format']}, {made['duration_s']:.2f} seconds.\")
if made['has_video']:
    print(f\"It shows {made['width']} x {made['height']} pixels in {made['codec']}.\")",
    );
}

fn stem(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or("recording");
    slug(base.rsplit_once('.').map_or(base, |(stem, _)| stem), "-")
}
