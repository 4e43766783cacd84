//! Audio and video from a program: what is made, what is refused, and what stays apart.

use std::path::Path;
use std::process::{Command, Output};

use glovebox_tests::{cache, glovebox, here};

/// Runs a program as a user does, with files, and returns what it said and the directory of what it made.
fn run(source: &str, files: &[&Path], args: &[&str]) -> (Output, tempfile::TempDir) {
    let out = tempfile::tempdir().expect("a directory");
    let script = out.path().join("script.py");
    std::fs::write(&script, source).expect("written");
    let mut command = Command::new(glovebox());
    command.arg("run").args(args).arg("--out").arg(out.path().join("out"));
    for file in files {
        command.arg("--file").arg(file);
    }
    command.arg(&script).env("GLOVEBOX_CACHE_DIR", cache());
    (command.output().expect("glovebox starts"), out)
}

fn orbit() -> std::path::PathBuf {
    here().join("data/orbit.gif")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What ffprobe, which is not ours, says of a file.
fn ffprobe(path: &Path, entries: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-of", "csv=p=0", "-show_entries", entries])
        .arg(path)
        .output()
        .expect("ffprobe is installed; cargo xtask test does it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn an_animation_becomes_a_video_at_half_speed_that_others_play() {
    let source = "from glovebox import media\nprint(media.convert('orbit.gif', 'slow.mp4', speed=0.5))";
    let (output, out) = run(source, &[&orbit()], &[]);
    assert!(output.status.success(), "{}", said(&output));
    let video = out.path().join("out/slow.mp4");
    assert_eq!(ffprobe(&video, "stream=codec_name,pix_fmt,width,height"), "h264,240,180,yuv420p");
    let seconds: f64 = ffprobe(&video, "format=duration").parse().expect("a number");
    assert!((seconds - 4.32).abs() < 0.15, "{seconds} s");
}

#[test]
fn every_function_of_the_module_makes_what_it_says() {
    let source = "
from glovebox import media
import os, numpy as np, matplotlib.pyplot as plt
from PIL import Image
facts = media.probe('orbit.gif')
assert (facts['format'], facts['width'], facts['height'], facts['has_audio']) == ('gif', 240, 180, False), facts
assert abs(facts['duration_s'] - 2.16) < 0.05, facts
assert media.frames('orbit.gif', 'first.png') == ['first.png']
assert media.frames('orbit.gif', 'at-{}.png', times=[0, 1]) == ['at-0001.png', 'at-0002.png']
assert len(media.frames('orbit.gif', 'n-{}.png', count=3, width=60)) == 3
assert Image.open('n-0003.png').width == 60
assert 290 < Image.open(media.contact_sheet('orbit.gif', cols=3, width=300)).width <= 300
media.convert('orbit.gif', 'small.webm', start=0.5, end=1.5, width=64, fps=10)
assert abs(media.probe('small.webm')['duration_s'] - 1) < 0.15
media.convert('orbit.gif', 'turned.gif', crop=(0, 0, 100, 50), rotate=90)
assert Image.open('turned.gif').size == (50, 100)
media.concatenate(['orbit.gif', 'small.webm'], 'both.mp4')
assert abs(media.probe('both.mp4')['duration_s'] - 3.16) < 0.3
figure, axes = plt.subplots(figsize=(2, 1)); axes.plot([1, 2])
pictures = [Image.new('RGBA', (200, 100), 'red'), np.zeros((100, 200, 3)), figure, 'first.png']
media.encode(pictures, 'made.mp4', fps=2)
plt.close(figure)
made = media.probe('made.mp4')
assert (made['width'], made['height'], made['duration_s']) == (200, 100, 2.0), made
import wave
with wave.open('tone.wav', 'wb') as file:
    file.setparams((1, 2, 8000, 0, 'NONE', '')); file.writeframes(bytes(16000))
assert media.probe(media.extract_audio('tone.wav', 'tone.mp3'))['has_audio']
assert not [name for name in os.listdir() if name.startswith('.')], os.listdir()
print('all')";
    let (output, _out) = run(source, &[&orbit()], &[]);
    assert!(said(&output).starts_with("all"), "{}", said(&output));
}

#[test]
fn what_cannot_be_done_is_an_exception_that_says_why() {
    let source = "
import json, os, _glovebox
from glovebox import media
def fails(kind, words, call, *args, **more):
    try:
        call(*args, **more)
    except kind as error:
        assert words in str(error), error
    else:
        raise AssertionError('no error: ' + words)
whole = open('orbit.gif', 'rb').read()
open('cut.mp4', 'wb').write(b'\\0\\0\\0\\x18ftypmp42' + bytes(40))
open('text.mp4', 'w').write('this is text')
os.mkdir('folder')
os.symlink('../../../../../../../../etc/hostname', 'link.gif')
fails(FileNotFoundError, 'none.gif', media.probe, 'none.gif')
fails(media.MediaError, 'cut.mp4', media.probe, 'cut.mp4')
fails(media.MediaError, 'text.mp4', media.convert, 'text.mp4', 'a.webm')
fails(media.MediaError, 'folder', media.probe, 'folder')
fails(ValueError, 'ending', media.convert, 'orbit.gif', 'orbit.xyz')
fails(ValueError, 'speed', media.convert, 'orbit.gif', 'a.mp4', speed=0)
fails(ValueError, 'outside', media.convert, 'orbit.gif', '/tmp/a.mp4')
fails(media.MediaError, 'no sound', media.extract_audio, 'orbit.gif')
fails(media.MediaError, 'pixels', media.convert, 'orbit.gif', 'a.mp4', width=90000, height=90000)
def raw(**request):
    return json.loads(_glovebox.call(json.dumps({'service': 'media', **request}).encode()))['error']
for path in ('../orbit.gif', '/etc/hostname', '', 'a/../../b', 'link.gif'):
    error = raw(op={'op': 'probe'}, inputs=[path])
    assert error['kind'] in ('request', 'input', 'not_found'), error
    error = raw(op={'op': 'convert', 'format': 'mp4'}, inputs=['orbit.gif'], output='../' + path)
    assert error['kind'] == 'request', error
assert raw(op={'op': 'format_disk'}, inputs=[])['kind'] == 'request'
try:
    _glovebox.call(b'{\"service\": \"shell\"}')
except OSError:
    pass
else:
    raise AssertionError('an unknown service answered')
left = sorted(os.listdir())
assert left == ['cut.mp4', 'folder', 'link.gif', 'orbit.gif', 'text.mp4'], left
# A link in the place of the result is replaced, not followed.
os.symlink('orbit.gif', 'out.gif')
media.convert('orbit.gif', 'out.gif', width=20)
assert open('orbit.gif', 'rb').read() == whole and not os.path.islink('out.gif')
print('all')";
    let (output, _out) = run(source, &[&orbit()], &[]);
    assert!(said(&output).starts_with("all"), "{}", said(&output));
}

#[test]
fn the_workspaces_limits_hold_for_what_is_made_outside_of_the_guest() {
    let policies = tempfile::tempdir().expect("a directory");
    let tight = "[run]\nworkspace_mib = 1\nworkspace_files = 6\n";
    std::fs::write(policies.path().join("tight.toml"), tight).expect("written");
    let source = "
from glovebox import media
try:
    for n in range(100):
        media.frames('orbit.gif', 'frame-%d.png' % n)
except media.MediaError as error:
    print(error.kind, n < 6)
try:
    media.encode([__import__('os').urandom(0)] and [__import__('numpy').random.default_rng(0).random((700, 700, 3))] * 9, 'noise.gif')
except (media.MediaError, OSError) as error:
    print('full')";
    let out = tempfile::tempdir().expect("a directory");
    let script = out.path().join("script.py");
    std::fs::write(&script, source).expect("written");
    let output = Command::new(glovebox())
        .args(["run", "--policy", "tight", "--file"])
        .arg(orbit())
        .arg(&script)
        .env("GLOVEBOX_CACHE_DIR", cache())
        .env("GLOVEBOX_POLICIES_DIR", policies.path())
        .output()
        .expect("glovebox starts");
    assert!(said(&output).starts_with("cap True\nfull\n"), "{}", said(&output));
}

#[test]
fn a_strict_policy_refuses_and_says_so() {
    let source = "from glovebox import media\nmedia.probe('orbit.gif')";
    let (output, _out) = run(source, &[&orbit()], &["--policy", "strict"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("audio and video are not granted here"), "{}", said(&output));
}

#[test]
fn a_deterministic_run_makes_the_same_bytes_again() {
    let source = "
from glovebox import media
import hashlib
for name in ('a.mp4', 'a.webm', 'a.gif'):
    media.convert('orbit.gif', name, width=64)
    print(name, hashlib.sha256(open(name, 'rb').read()).hexdigest())";
    let once = || run(source, &[&orbit()], &["--deterministic", "--seed", "7"]).0;
    let (first, second) = (once(), once());
    assert!(first.status.success(), "{}", said(&first));
    assert_eq!(first.stdout, second.stdout);
}

#[test]
fn a_run_that_is_out_of_time_takes_its_media_worker_along() {
    let source = "
from glovebox import media
import numpy as np
media.encode([np.zeros((1080, 1920, 3))] * 3, 'black.mp4', fps=0.01)
print('begun', flush=True)
media.convert('black.mp4', 'long.webm', fps=60)";
    let policies = tempfile::tempdir().expect("a directory");
    std::fs::write(policies.path().join("short.toml"), "[run]\nwall_time_ms = 4000\n").expect("written");
    let out = tempfile::tempdir().expect("a directory");
    let script = out.path().join("script.py");
    std::fs::write(&script, source).expect("written");
    let output = Command::new(glovebox())
        .args(["run", "--policy", "short"])
        .arg(&script)
        .env("GLOVEBOX_CACHE_DIR", cache())
        .env("GLOVEBOX_POLICIES_DIR", policies.path())
        .output()
        .expect("glovebox starts");
    assert_eq!(output.status.code(), Some(124), "{}", said(&output));
}

#[test]
fn a_media_worker_holds_nothing_but_its_socket() {
    let output = Command::new(glovebox()).args(["doctor", "--json"]).env("GLOVEBOX_CACHE_DIR", cache()).output();
    let checks: serde_json::Value = serde_json::from_slice(&output.expect("glovebox starts").stdout).expect("JSON");
    let check = checks.as_array().expect("a list").iter().find(|check| check["name"] == "audio and video");
    let detail = check.expect("a check of audio and video")["detail"].as_str().expect("text");
    assert!(detail.contains("system calls filtered: yes, ceilings: yes"), "{detail}");
}
