//! Every operation on real files, every cap by something that exceeds it, and files that lie.

use std::fs::File;
use std::io::{Read, Seek, Write};

use glovebox_media::{Caps, Edit, Format, Input, MediaError, Op, Probe, Report, perform};

fn gif() -> Input {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/orbit.gif");
    Input { name: "orbit.gif".into(), file: File::open(path).expect("there") }
}

fn input(name: &str, bytes: &[u8]) -> Input {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file.rewind().expect("back");
    Input { name: name.into(), file }
}

fn perform_with(op: &Op, inputs: Vec<Input>, caps: &Caps) -> Result<(Report, Vec<u8>), MediaError> {
    let mut output = tempfile::tempfile().expect("a file");
    let report = perform(op, inputs, Some(output.try_clone().expect("a copy")), caps)?;
    let mut bytes = Vec::new();
    output.rewind().expect("back");
    output.read_to_end(&mut bytes).expect("read");
    Ok((report, bytes))
}

fn made(op: &Op, inputs: Vec<Input>) -> Vec<u8> {
    let (report, bytes) = perform_with(op, inputs, &Caps::default()).expect("performed");
    assert_eq!(report.parts.iter().sum::<u64>(), bytes.len() as u64);
    bytes
}

fn probe(bytes: &[u8]) -> Probe {
    perform(&Op::Probe, vec![input("made", bytes)], None, &Caps::default()).expect("readable").probe.expect("a probe")
}

fn convert(edit: Edit) -> Op {
    Op::Convert(edit)
}

/// Two seconds of a tone.
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..44_100 * 2)
        .flat_map(|n| ((f64::from(n) * 0.06).sin() * 9000.0).round().clamp(-9e3, 9e3).to_le16())
        .collect();
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + samples.len() as u32).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(44_100u32.to_le_bytes());
    wav.extend(88_200u32.to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend((samples.len() as u32).to_le_bytes());
    wav.extend(samples);
    wav
}

trait ToSample {
    fn to_le16(self) -> [u8; 2];
}

impl ToSample for f64 {
    fn to_le16(self) -> [u8; 2] {
        (self as i16).to_le_bytes()
    }
}

#[test]
fn an_animation_becomes_a_video_at_half_speed() {
    for (format, container, codec) in [
        (Format::Mp4, "mp4", "h264"),
        (Format::Webm, "webm", "vp9"),
        (Format::Mov, "mp4", "h264"),
        (Format::Mkv, "matroska", "h264"),
    ] {
        let slow = probe(&made(&convert(Edit { speed: Some(0.5), ..Edit::to(format) }), vec![gif()]));
        assert_eq!((slow.format.as_str(), slow.streams.len()), (container, 1), "{format}");
        let video = &slow.streams[0];
        assert_eq!((video.codec.as_str(), video.width, video.height), (codec, 240, 180), "{format}");
        assert!(slow.duration_ms.abs_diff(4320) < 150, "{format}: {} ms", slow.duration_ms);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for format in [Format::Mp4, Format::Webm, Format::Gif] {
        let op = convert(Edit { width: Some(64), ..Edit::to(format) });
        assert!(made(&op, vec![gif()]) == made(&op, vec![gif()]), "{format}");
    }
}

#[test]
fn a_video_is_cut_cropped_turned_and_resized() {
    let edit = Edit {
        start_s: Some(0.5),
        end_s: Some(1.5),
        crop: Some([20, 10, 200, 100]),
        rotate: Some(90),
        width: Some(50),
        fps: Some(10.0),
        ..Edit::to(Format::Mp4)
    };
    let made = probe(&made(&convert(edit), vec![gif()]));
    let video = &made.streams[0];
    assert_eq!((video.width, video.height, video.frames), (50, 100, 10));
    assert_eq!(made.duration_ms, 1000);
}

#[test]
fn an_animation_stays_one_with_its_pace() {
    let made = probe(&made(&convert(Edit { width: Some(120), ..Edit::to(Format::Gif) }), vec![gif()]));
    assert_eq!((made.format.as_str(), made.streams[0].width, made.streams[0].height), ("gif", 120, 90));
    assert!(made.duration_ms.abs_diff(2160) < 100, "{} ms", made.duration_ms);
}

#[test]
fn sound_is_written_in_every_format_at_every_speed() {
    for format in [Format::Mp3, Format::M4a, Format::Wav, Format::Flac, Format::Ogg] {
        let whole = probe(&made(&Op::ExtractAudio { format }, vec![input("tone.wav", &tone())]));
        assert_eq!((whole.streams.len(), whole.streams[0].channels), (1, 1), "{format}");
        assert!(whole.duration_ms.abs_diff(2000) < 80, "{format}: {} ms", whole.duration_ms);
        let fast = convert(Edit { speed: Some(2.0), ..Edit::to(format) });
        let fast = probe(&made(&fast, vec![input("tone.wav", &tone())]));
        assert!(fast.duration_ms.abs_diff(1000) < 120, "{format}: {} ms", fast.duration_ms);
    }
}

#[test]
fn videos_are_joined_in_the_size_of_the_first() {
    let small = made(&convert(Edit { width: Some(60), ..Edit::to(Format::Mp4) }), vec![gif()]);
    let joined = Op::Concatenate { format: Format::Mp4 };
    let joined = probe(&made(&joined, vec![gif(), input("small.mp4", &small), gif()]));
    assert_eq!((joined.streams[0].width, joined.streams[0].height), (240, 180));
    assert!(joined.duration_ms.abs_diff(3 * 2160) < 100, "{} ms", joined.duration_ms);
}

#[test]
fn pictures_are_taken_out_and_become_a_video_again() {
    let (report, pictures) =
        perform_with(&Op::Frames { at_s: vec![], every_s: Some(0.5), width: Some(80) }, vec![gif()], &Caps::default())
            .expect("performed");
    assert_eq!(report.parts.len(), 5);
    let mut at = 0;
    for part in &report.parts {
        assert!(pictures[at..].starts_with(b"\x89PNG"));
        at += *part as usize;
    }
    let encode = Op::Encode { format: Format::Mp4, fps: 2.0 };
    // In one file or in several, it is the same film.
    let split = report.parts.iter().scan(0, |at, part| {
        let from = *at;
        *at += *part as usize;
        Some(input("picture.png", &pictures[from..*at]))
    });
    let several = made(&encode, split.collect());
    assert!(several == made(&encode, vec![input("all.png", &pictures)]));
    let video = probe(&several);
    assert_eq!((video.duration_ms, video.streams[0].width), (2500, 80));
    let last =
        perform_with(&Op::Frames { at_s: vec![99.0], every_s: None, width: None }, vec![gif()], &Caps::default());
    assert_eq!(last.unwrap_err().to_string(), "orbit.gif: it has no picture at 99 s; it lasts 2.16 s");
}

#[test]
fn a_contact_sheet_has_the_width_asked_for() {
    let sheet = made(&Op::ContactSheet { columns: 4, rows: 3, width: 404 }, vec![gif()]);
    assert!(sheet.starts_with(b"\x89PNG"));
    let width = u32::from_be_bytes([sheet[16], sheet[17], sheet[18], sheet[19]]);
    assert_eq!(width, 404);
}

#[test]
fn every_cap_is_met_by_something_that_exceeds_it() {
    let to_mp4 = || convert(Edit::to(Format::Mp4));
    let all = Op::Frames { at_s: vec![], every_s: Some(0.0), width: None };
    let cases = [
        (Caps { input_bytes: 1000, ..Caps::default() }, to_mp4(), "the inputs: "),
        (Caps { output_bytes: 2000, ..Caps::default() }, to_mp4(), "the result is larger than the 2000 bytes"),
        (Caps { output_bytes: 2000, ..Caps::default() }, all.clone(), "the result is larger than the 2000 bytes"),
        (Caps { pixels: 240 * 179, ..Caps::default() }, to_mp4(), "orbit.gif: "),
        (Caps { frames: 10, ..Caps::default() }, to_mp4(), "the input: 11 pictures; at most 10"),
        (Caps { pictures: 3, ..Caps::default() }, all, "the result: 4 pictures; at most 3"),
        (Caps { seconds: 1, ..Caps::default() }, to_mp4(), "the result: 1 seconds; at most 1"),
        (Caps { streams: 0, ..Caps::default() }, to_mp4(), "orbit.gif: "),
    ];
    for (caps, op, message) in cases {
        let error = perform_with(&op, vec![gif()], &caps).expect_err(message).to_string();
        assert!(error.starts_with(message), "{error} is not {message}");
    }
    let wide = convert(Edit { width: Some(100_000), height: Some(100_000), ..Edit::to(Format::Mp4) });
    let error = perform_with(&wide, vec![gif()], &Caps::default()).expect_err("too large");
    assert!(matches!(error, MediaError::Cap(_)), "{error}");
}

#[test]
fn what_refers_to_other_files_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let secret = dir.path().join("secret.gif");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/orbit.gif"), &secret).expect("copied");
    let secret = secret.display();
    for (name, text) in [
        ("list.m3u8", format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{secret}\n#EXT-X-ENDLIST\n")),
        ("list.ffconcat", format!("ffconcat version 1.0\nfile {secret}\n")),
        ("a.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n".to_owned()),
        ("a.mpd", format!("<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"><BaseURL>{secret}</BaseURL></MPD>")),
        ("a.txt", "just text".to_owned()),
        ("empty.mp4", String::new()),
    ] {
        let error = perform(&Op::Probe, vec![input(name, text.as_bytes())], None, &Caps::default()).expect_err(name);
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_ends_with_a_result_or_an_error() {
    let whole = made(&convert(Edit { width: Some(64), ..Edit::to(Format::Webm) }), vec![gif()]);
    let mut animation = Vec::new();
    gif().file.read_to_end(&mut animation).expect("read");
    for bytes in [whole, animation] {
        for part in 0..16 {
            let cut = &bytes[..bytes.len() * part / 16];
            let op = convert(Edit { width: Some(32), ..Edit::to(Format::Gif) });
            if let Err(error) = perform_with(&op, vec![input("cut", cut)], &Caps::default()) {
                assert!(error.to_string().starts_with("cut: "), "{error}");
            }
        }
    }
}

#[test]
fn a_request_that_makes_no_sense_says_so() {
    let tone = || vec![input("tone.wav", &tone())];
    let cases = [
        (convert(Edit { speed: Some(0.0), ..Edit::to(Format::Mp4) }), vec![gif()], "speed: 0 is out of range"),
        (convert(Edit { rotate: Some(45), ..Edit::to(Format::Mp4) }), vec![gif()], "rotate: 45 is no multiple"),
        (
            convert(Edit { start_s: Some(2.0), end_s: Some(1.0), ..Edit::to(Format::Mp4) }),
            vec![gif()],
            "end: 1 s is not",
        ),
        (
            convert(Edit { start_s: Some(60.0), ..Edit::to(Format::Mp4) }),
            vec![gif()],
            "orbit.gif: nothing lies between",
        ),
        (convert(Edit { crop: Some([200, 0, 200, 10]), ..Edit::to(Format::Mp4) }), vec![gif()], "crop: 200 × 10"),
        (convert(Edit::to(Format::Mp3)), vec![gif()], "orbit.gif: there is no sound in it"),
        (convert(Edit::to(Format::Mp4)), tone(), "tone.wav: there are no pictures in it"),
        (Op::ExtractAudio { format: Format::Mp4 }, tone(), "mp4 is no format of sound alone"),
        (Op::Encode { format: Format::Mp4, fps: 2.0 }, vec![], "no pictures to encode"),
        (Op::Encode { format: Format::Mp4, fps: 2.0 }, vec![gif()], "orbit.gif: it is damaged"),
        (convert(Edit::to(Format::Mp4)), vec![], "the operation takes one input, not 0"),
    ];
    for (op, inputs, message) in cases {
        let error = perform_with(&op, inputs, &Caps::default()).expect_err(message).to_string();
        assert!(error.starts_with(message), "{error} is not {message}");
    }
}
