//! Images and animations through Pillow.

use super::super::plan::{Change, ImagePlan, ImageTask};
use super::super::python::{py_list, py_number, py_str, slug};
use super::Script;

/// Writes the program for images.
pub fn render(script: &mut Script, plan: &ImagePlan) {
    match &plan.task {
        ImageTask::Facts { .. } => facts(script, &plan.files),
        ImageTask::Colors => colors(script, &plan.files[0]),
        ImageTask::Frames { step } => frames(script, &plan.files[0], *step),
        ImageTask::ContactSheet => sheet(script, &plan.files),
        ImageTask::FrameAt { seconds } => frame_at(script, &plan.files[0], *seconds),
        // These are for recordings; `media.rs` has them.
        ImageTask::Sound { .. } | ImageTask::Join { .. } => facts(script, &plan.files),
        ImageTask::Edit { changes, format } => {
            edit(script, &plan.files[0], changes, *format);
        }
    }
}

fn facts(script: &mut Script, files: &[String]) {
    script.import("from PIL import Image");
    script.import("import pandas as pd");
    script.line(format!("files = {}", py_list(files)));
    script.lines(
        "rows = []
for name in files:
    with Image.open(name) as image:
        frames = getattr(image, 'n_frames', 1)
        duration = 0
        for number in range(frames if frames > 1 else 0):
            image.seek(number)
            duration += image.info.get('duration', 0)
        rows.append({
            'file': name, 'format': image.format, 'width': image.width, 'height': image.height, 'mode': image.mode,
            'frames': frames, 'seconds': round(duration / 1000, 2),
            'frames per second': round(1000 * frames / duration, 1) if duration else 0,
        })
        print(f'{name}: {image.format}, {image.width} x {image.height} pixels, {frames} frames, {duration / 1000:.2f} seconds.')

result = pd.DataFrame(rows)
result.to_csv('image-facts.csv', index=False)
result",
    );
}

fn colors(script: &mut Script, file: &str) {
    script.import("from PIL import Image");
    script.import("import pandas as pd");
    script.import("import matplotlib.pyplot as plt");
    script.line(format!("image = Image.open({}).convert('RGB')", py_str(file)));
    script.lines(
        "image.thumbnail((400, 400))

# The eight colours that stand for most of the pixels
few = image.quantize(8).convert('RGB')
counts = sorted(few.getcolors(few.width * few.height), reverse=True)
total = sum(count for count, _ in counts)
result = pd.DataFrame([{'colour': '#%02x%02x%02x' % color, 'percent': round(100 * count / total, 1)} for count, color in counts])
result.to_csv('colours.csv', index=False)
print(f\"Most frequent colour: {result['colour'].iloc[0]} with {result['percent'].iloc[0]:.1f} %.\")

fig, ax = plt.subplots(figsize=(8, 4))
bars = ax.bar(result['colour'], result['percent'], color=result['colour'], edgecolor='#888888')
ax.bar_label(bars, fmt='%.1f %%', padding=3, fontsize=9)
ax.set_title('Most frequent colours')
ax.set_ylabel('Percent of pixels')
ax.spines[['top', 'right']].set_visible(False)
plt.savefig('colours.png', dpi=120, bbox_inches='tight')
plt.show()
result",
    );
}

/// Reads all frames into `frames` and `durations`.
fn read(script: &mut Script, file: &str) {
    script.import("from PIL import Image, ImageSequence");
    script.line(format!("source = Image.open({})", py_str(file)));
    script.lines(
        "frames, durations = [], []
for frame in ImageSequence.Iterator(source):
    durations.append(frame.info.get('duration') or 100)
    frames.append(frame.convert('RGBA'))
print(f'Read {len(frames)} frames of {source.width} x {source.height} pixels, {sum(durations) / 1000:.2f} seconds.')",
    );
}

fn frame_at(script: &mut Script, file: &str, seconds: f64) {
    script.import("from itertools import accumulate");
    read(script, file);
    script.step("The last frame that begins before that time");
    script.line(format!("seconds = {}", py_number(seconds)));
    script.lines(
        "starts = [0, *accumulate(durations)][:-1]
number = max(at for at, start in enumerate(starts) if start <= 1000 * seconds)
result = frames[number]
result.save('frame.png')
print(f'Frame {number + 1} of {len(frames)} is shown at {seconds} seconds: frame.png.')
result",
    );
}

fn frames(script: &mut Script, file: &str, step: usize) {
    script.import("from pathlib import Path");
    script.import("import zipfile");
    script.import("import pandas as pd");
    read(script, file);
    script.step("One PNG for each frame, and all of them in one archive");
    script.line("folder = Path('frames')");
    script.line("folder.mkdir(exist_ok=True)");
    script.line("rows, start = [], 0");
    script.line("with zipfile.ZipFile('frames.zip', 'w') as archive:");
    script.line("    for number, (frame, duration) in enumerate(zip(frames, durations)):");
    let mut indent = "        ";
    if step > 1 {
        script.line(format!("        if number % {step} == 0:"));
        indent = "            ";
    }
    for line in [
        "path = folder / f'{number:03d}.png'",
        "frame.save(path)",
        "archive.write(path)",
        "rows.append({'file': str(path), 'starts at ms': start, 'lasts ms': duration})",
    ] {
        script.line(format!("{indent}{line}"));
    }
    script.line("        start += duration");
    script.lines(
        "
result = pd.DataFrame(rows)
print(f'Wrote {len(rows)} pictures to frames/ and frames.zip.')
result",
    );
}

fn sheet(script: &mut Script, files: &[String]) {
    script.import("import math");
    script.import("from PIL import Image, ImageSequence");
    if let [file] = files {
        read(script, file);
    } else {
        script.line(format!("files = {}", py_list(files)));
        script.line("frames = [Image.open(name).convert('RGBA') for name in files]");
        script.line("print(f'Read {len(frames)} pictures.')");
    }
    script.lines(
        "
# At most 30 of them, evenly spread, in a grid
step = max(1, math.ceil(len(frames) / 30))
shown = frames[::step]
across = min(6, math.ceil(math.sqrt(len(shown))))
down = math.ceil(len(shown) / across)
width, gap = 160, 6
height = max(1, round(width * shown[0].height / shown[0].width))
sheet = Image.new('RGB', (across * (width + gap) + gap, down * (height + gap) + gap), 'white')
for number, frame in enumerate(shown):
    small = frame.copy()
    small.thumbnail((width, height))
    place = (gap + (number % across) * (width + gap), gap + (number // across) * (height + gap))
    sheet.paste(small, place, small)
sheet.save('contact-sheet.png')
print(f'{len(shown)} pictures on a sheet of {sheet.width} x {sheet.height} pixels: contact-sheet.png.')
sheet",
    );
}

/// Reads the frames and changes them.
pub fn changed(script: &mut Script, file: &str, changes: &[Change]) {
    read(script, file);
    for change in changes {
        self::change(script, change);
    }
}

fn edit(script: &mut Script, file: &str, changes: &[Change], format: Option<&'static str>) {
    changed(script, file, changes);
    let base = file.rsplit('/').next().unwrap_or("image");
    let (stem, ending) = base.rsplit_once('.').unwrap_or((base, "png"));
    let ending = ending.to_lowercase();
    let moving = changes.iter().all(|change| *change != Change::FirstFrames(1));
    let wanted = format.unwrap_or(match ending.as_str() {
        "gif" => "gif",
        "jpg" | "jpeg" => "jpg",
        "webp" => "webp",
        _ => "png",
    });
    // The image's Pillow writes neither JPEG nor WebP, so another format that loses nothing stands in.
    let format = match wanted {
        "jpg" => "png",
        "webp" => "apng",
        "gif" if !moving && format.is_none() => "png",
        kept => kept,
    };
    let mut name = slug(stem, "-");
    for change in changes {
        name = format!("{name}-{}", suffix(change));
    }
    if changes.is_empty() && base.eq_ignore_ascii_case(&format!("{name}.{}", extension(format))) {
        name += "-copy";
    }
    let name = format!("{name}.{}", extension(format));
    script.step("Save it");
    script.line(format!("output = {}", py_str(&name)));
    match format {
        "gif" => {
            script.line("frames[0].save(");
            script.line("    output, save_all=True, append_images=frames[1:], duration=durations,");
            script.line("    loop=source.info.get('loop', 0), disposal=2, optimize=False,");
            script.line(")");
        }
        "apng" => {
            script.line("frames[0].save(");
            script.line("    output, format='PNG', save_all=True, append_images=frames[1:],");
            script.line("    duration=durations, loop=source.info.get('loop', 0),");
            script.line(")");
        }
        _ => script.line("frames[0].save(output)"),
    }
    if wanted != format && (wanted == "jpg" || wanted == "webp") {
        let name = if wanted == "jpg" { "JPEG" } else { "WebP" };
        script.line(format!("print('{name} cannot be written by this Python, so it is a PNG, which loses nothing.')"));
    }
    script.lines(
        "result = Image.open(output)
print(f\"{output}: {result.width} x {result.height} pixels, {getattr(result, 'n_frames', 1)} frames.\")",
    );
    if changes.iter().any(|change| {
        matches!(
            change,
            Change::Speed(_)
                | Change::Boomerang
                | Change::FirstFrames(_)
                | Change::EveryFrame(_)
                | Change::Trim { .. }
                | Change::CutEnd(_)
        )
    }) {
        script.line("print(f'It now lasts {sum(durations) / 1000:.2f} seconds.')");
    }
    script.line("result");
}

/// `apng` files are called `.png`, which every browser knows.
fn extension(format: &str) -> &str {
    if format == "apng" { "png" } else { format }
}

/// What a change adds to the name of a file.
pub fn suffix(change: &Change) -> String {
    match change {
        Change::Resize { width: Some(w), height: Some(h) } => format!("{w}x{h}"),
        Change::Resize { width: Some(w), .. } => format!("{w}px"),
        Change::Resize { height, .. } => format!("{}px-high", height.unwrap_or(0)),
        Change::Scale(factor) => format!("{:.0}-percent", factor * 100.0),
        Change::Fit(_) => "thumbnail".into(),
        Change::CropCentre(_) | Change::CropBox(..) => "cropped".into(),
        Change::Rotate(_) => "rotated".into(),
        Change::Mirror => "mirrored".into(),
        Change::Flip => "flipped".into(),
        Change::Grayscale => "gray".into(),
        Change::Speed(factor) => {
            if *factor > 1.0 {
                "faster".into()
            } else {
                "slower".into()
            }
        }
        Change::Reverse => "reversed".into(),
        Change::Boomerang => "boomerang".into(),
        Change::FirstFrames(count) => format!("first-{count}"),
        Change::EveryFrame(step) => format!("every-{step}"),
        Change::Trim { .. } | Change::CutEnd(_) => "trimmed".into(),
        Change::Rate(rate) => format!("{rate:.0}-fps"),
        Change::Mute => "silent".into(),
    }
}

fn change(script: &mut Script, change: &Change) {
    let resize = "frames = [frame.resize(size, Image.Resampling.LANCZOS) for frame in frames]";
    match change {
        Change::Resize { width: Some(width), height: Some(height) } => {
            script.step(&format!("Resize to {width} x {height} pixels"));
            script.line(format!("size = ({width}, {height})"));
            script.line(resize);
        }
        Change::Resize { width: Some(width), .. } => {
            script.step(&format!("Resize to {width} pixels wide, keeping the proportions"));
            script.line(format!("size = ({width}, max(1, round(frames[0].height * {width} / frames[0].width)))"));
            script.line(resize);
        }
        Change::Resize { height, .. } => {
            let height = height.unwrap_or(1);
            script.step(&format!("Resize to {height} pixels high, keeping the proportions"));
            script.line(format!("size = (max(1, round(frames[0].width * {height} / frames[0].height)), {height})"));
            script.line(resize);
        }
        Change::Scale(factor) => {
            script.step(&format!("Resize to {:.0} % of the size", factor * 100.0));
            let factor = py_number(*factor);
            script.line(format!(
                "size = (max(1, round(frames[0].width * {factor})), max(1, round(frames[0].height * {factor})))"
            ));
            script.line(resize);
        }
        Change::Fit(side) => {
            script.step(&format!("Fit into {side} x {side} pixels"));
            script.line(format!("factor = min({side} / frames[0].width, {side} / frames[0].height, 1)"));
            script.line("size = (max(1, round(frames[0].width * factor)), max(1, round(frames[0].height * factor)))");
            script.line(resize);
        }
        Change::CropCentre(size) => {
            script.step("Crop around the centre");
            match size {
                Some((width, height)) => script
                    .line(format!("width, height = min({width}, frames[0].width), min({height}, frames[0].height)")),
                None => script.line("width = height = min(frames[0].size)"),
            }
            script.line("left, top = (frames[0].width - width) // 2, (frames[0].height - height) // 2");
            script.line("frames = [frame.crop((left, top, left + width, top + height)) for frame in frames]");
        }
        Change::CropBox(left, top, right, bottom) => {
            script.step("Crop to left, top, right, bottom, but not beyond the edges");
            script.line(format!("right, bottom = min({right}, frames[0].width), min({bottom}, frames[0].height)"));
            script.line(format!("left, top = min({left}, right - 1), min({top}, bottom - 1)"));
            script.line("frames = [frame.crop((left, top, right, bottom)) for frame in frames]");
        }
        Change::Rotate(degrees) => {
            script.step(&format!("Turn by {degrees} degrees clockwise"));
            script.line(format!("frames = [frame.rotate({}, expand=True) for frame in frames]", py_number(-degrees)));
        }
        Change::Mirror => flip(script, "Left becomes right", "FLIP_LEFT_RIGHT"),
        Change::Flip => flip(script, "Top becomes bottom", "FLIP_TOP_BOTTOM"),
        Change::Grayscale => {
            script.step("Shades of grey, transparency kept");
            script.line("frames = [frame.convert('LA').convert('RGBA') for frame in frames]");
        }
        Change::Speed(factor) => {
            script.import("import math");
            script.step(&format!(
                "Play {} times as fast; frames shorter than 20 ms are not shown by most viewers,",
                (factor * 100.0).round() / 100.0
            ));
            script.line("# so frames are left out when it would come to that");
            script.line(format!("factor = {}", py_number(*factor)));
            script.line("mean = sum(durations) / len(durations)");
            script.line("step = max(1, math.ceil(20 * factor / mean))");
            script.line("total = sum(durations) / factor");
            script.line("frames = frames[::step]");
            script.line("durations = [max(20, round(total / len(frames) / 10) * 10)] * len(frames)");
        }
        Change::Reverse => {
            script.step("Play backwards");
            script.line("frames, durations = frames[::-1], durations[::-1]");
        }
        Change::Boomerang => {
            script.step("Play forwards, then backwards");
            script.line("frames, durations = frames + frames[-2:0:-1], durations + durations[-2:0:-1]");
        }
        Change::FirstFrames(count) => {
            script.step(&format!("Only the first {count} frames"));
            script.line(format!("frames, durations = frames[:{count}], durations[:{count}]"));
        }
        Change::EveryFrame(step) => {
            script.step("Fewer frames, each shown longer");
            script.line(format!(
                "durations = [sum(durations[at:at + {step}]) for at in range(0, len(durations), {step})]"
            ));
            script.line(format!("frames = frames[::{step}]"));
        }
        Change::Trim { start, end } => {
            script.step("Only the frames that begin within these times");
            let from = py_number(start.unwrap_or(0.0) * 1000.0);
            let until = end.map_or("float('inf')".into(), |end| py_number(end * 1000.0));
            kept_in_time(script, &from, &until);
        }
        Change::CutEnd(seconds) => {
            script.step("Without the frames at the end");
            kept_in_time(script, "0", &format!("sum(durations) - {}", py_number(seconds * 1000.0)));
        }
        Change::Rate(rate) => {
            script.step("The same pictures at another rate");
            script.line(format!("durations = [max(20, round(1000 / {}))] * len(frames)", py_number(*rate)));
        }
        // An animation has no sound.
        Change::Mute => {}
    }
}

fn kept_in_time(script: &mut Script, from: &str, until: &str) {
    script.import("from itertools import accumulate");
    script.line("starts = [0, *accumulate(durations)]");
    script.line(format!("start, end = {from}, {until}"));
    script.line("kept = [at for at in range(len(frames)) if start <= starts[at] < end] or [0]");
    script.line("frames, durations = [frames[at] for at in kept], [durations[at] for at in kept]");
}

fn flip(script: &mut Script, comment: &str, method: &str) {
    script.step(comment);
    script.line(format!("frames = [frame.transpose(Image.Transpose.{method}) for frame in frames]"));
}
