//! Questions about video, sound and animations, files that Python cannot open, and questions that go on from others.

use super::*;
use crate::engine::Exchange;
use crate::engine::sample::{ArchiveEntry, ArchiveFacts, DocumentFacts, MediaFacts, StreamFacts};

fn clip(name: &str) -> Sample {
    let video = StreamFacts {
        kind: "video".into(),
        codec: "h264".into(),
        width: 640,
        height: 360,
        frames_per_second: 25.0,
        ..StreamFacts::default()
    };
    let audio = StreamFacts { kind: "audio".into(), codec: "aac".into(), ..StreamFacts::default() };
    sample(name, Content::Media(MediaFacts { format: "mp4".into(), duration_ms: 8000, streams: vec![video, audio] }))
}

fn program_of(question: &str, samples: &[Sample]) -> String {
    program::render(&question::plan(question, samples), samples)
}

/// The one line that calls the host, of a question about `clip.mp4`.
fn call(question: &str) -> String {
    let program = program_of(question, &[clip("clip.mp4")]);
    let call =
        program.lines().find(|line| line.contains("media.") && !line.contains("probe(") && !line.contains("import"));
    call.unwrap_or_else(|| panic!("{question}: {program}")).trim().to_owned()
}

#[test]
fn recordings_are_changed_by_one_call_in_many_words() {
    for (question, expected) in [
        ("play it at half speed", "media.convert('clip.mp4', output, speed=0.5)"),
        ("slow it down", "media.convert('clip.mp4', output, speed=0.5)"),
        ("speed up 2x", "media.convert('clip.mp4', output, speed=2)"),
        ("trim the first 2 seconds", "media.convert('clip.mp4', output, start=2)"),
        ("keep only the first 2 seconds", "media.convert('clip.mp4', output, end=2)"),
        ("cut it from 1 to 4 seconds", "media.convert('clip.mp4', output, start=1, end=4)"),
        ("resize to 320 wide", "media.convert('clip.mp4', output, width=320)"),
        ("resize to 320x180", "media.convert('clip.mp4', output, width=320, height=180)"),
        ("rotate by 90 degrees", "media.convert('clip.mp4', output, rotate=90)"),
        ("turn it left", "media.convert('clip.mp4', output, rotate=270)"),
        ("make a GIF of it", "media.convert('clip.mp4', output)"),
        ("convert it to webm", "media.convert('clip.mp4', output)"),
        ("remove the sound", "media.convert('clip.mp4', output, mute=True)"),
        ("extract the audio", "media.extract_audio('clip.mp4', output)"),
        ("convert to mp3", "media.extract_audio('clip.mp4', output)"),
        ("first frame as PNG", "media.frames('clip.mp4', output, times=[0])"),
        ("screenshot at 2.5 seconds", "media.frames('clip.mp4', output, times=[2.5])"),
        ("extract a frame every 2 seconds", "names = media.frames('clip.mp4', every=2)"),
        ("make a contact sheet", "media.contact_sheet('clip.mp4', 'contact-sheet.png', cols=4)"),
    ] {
        assert_eq!(call(question), expected, "{question}");
    }
    for question in ["how long is it?", "what is in this video?", "how many frames does it have?"] {
        let plan = question::plan(question, &[clip("clip.mp4")]);
        assert!(describe::understood(&plan), "{question}: {plan:?}");
        assert!(program_of(question, &[clip("clip.mp4")]).contains("media.probe(name)"), "{question}");
    }
    let two = [clip("a.mp4"), clip("b.mp4")];
    assert!(program_of("join these videos", &two).contains("files = ['a.mp4', 'b.mp4']"));
}

#[test]
fn an_animation_becomes_a_video() {
    for question in ["turn this GIF into a video", "convert it to mp4", "save as video"] {
        let program = program_of(question, &orbit());
        assert!(program.contains("output = 'orbit.mp4'\nmedia.convert('orbit.gif', output)"), "{question}: {program}");
    }
    let program = program_of("turn this into an mp4 at half speed", &orbit());
    assert!(program.contains("media.convert('orbit.gif', output, speed=0.5)"), "{program}");
    // FFmpeg is not asked to play backwards, so Pillow does it first.
    let program = program_of("turn it into a video played backwards", &orbit());
    assert!(program.contains("frames[::-1]") && program.contains("media.convert('frames.gif', output)"), "{program}");
}

#[test]
fn the_file_that_is_named_in_full_is_the_one() {
    let both = [clip("orbit-slower.mp4"), orbit().remove(0)];
    let program = program_of("turn orbit.gif into an mp4 at half speed", &both);
    assert!(program.contains("media.convert('orbit.gif', output, speed=0.5)"), "{program}");
    let program = program_of("extract the audio of orbit-slower.mp4", &both);
    assert!(program.contains("'orbit-slower.mp4'") && !program.contains("orbit.gif"), "{program}");
}

#[test]
fn tables_in_parquet_and_in_databases_are_read_as_such() {
    let bare = Table { dialect: None, ..table(PENGUINS, ",") };
    let parquet = sample("birds.parquet", Content::Table(bare.clone()));
    let program = program_of("average body mass by species", std::slice::from_ref(&parquet));
    assert!(program.contains("df = pd.read_parquet('birds.parquet')") && program.contains("groupby"), "{program}");

    let sheet = Sheet { name: "the \"birds\"".into(), table: bare };
    let database = sample("my birds?.sqlite", Content::Database { tables: vec![sheet] });
    let program = program_of("average body mass by species", std::slice::from_ref(&database));
    assert!(program.contains("sqlite3.connect('file:my%20birds%3F.sqlite?immutable=1', uri=True)"), "{program}");
    assert!(program.contains(r#"'SELECT * FROM "the ""birds""""#), "{program}");
}

#[test]
fn a_file_that_python_cannot_open_is_told_not_tried() {
    let inner = table(PENGUINS, ",");
    let bare = Table { dialect: None, ..inner.clone() };
    let document = DocumentFacts { format: "pdf".into(), pages: 3, title: None, preview: "It's a report".into() };
    for (file, says) in [
        (sample("birds.feather", Content::Table(bare)), "pyarrow"),
        (sample("none.sqlite", Content::Database { tables: Vec::new() }), "no tables"),
        (sample("report.pdf", Content::Document(document)), "3 pages"),
    ] {
        let program = program_of("average body mass by species", std::slice::from_ref(&file));
        assert!(program.contains(says) && !program.contains("pd.read_"), "{}: {program}", file.name);
    }
    let entry = |name: &str| ArchiveEntry { name: name.into(), size: 10 };
    let archive = |entries: &[&str], inner: Option<Sample>| {
        let facts = ArchiveFacts {
            format: "zip".into(),
            files: entries.len() as u64,
            files_estimated: false,
            unpacked_bytes: 100,
            entries: entries.iter().map(|name| entry(name)).collect(),
            inner: inner.map(Box::new),
        };
        sample("birds.zip", Content::Archive(facts))
    };
    let listed = program_of("what is in it?", &[archive(&["a.csv", "b.csv"], None)]);
    assert!(listed.contains("zipfile.ZipFile('birds.zip')"), "{listed}");
    let within = archive(&["birds.csv"], Some(sample("birds.csv", Content::Table(inner))));
    let read = program_of("average body mass by species", &[within]);
    assert!(read.contains("pd.read_csv('birds.zip', compression='zip')") && read.contains("groupby"), "{read}");
}

#[test]
fn a_question_that_stands_on_its_own_forgets_the_one_before() {
    let earlier =
        |question: &str| Exchange { question: question.into(), program: String::new(), result: String::new() };
    let context = |question: &str, before: &[&str]| PlanContext {
        question: question.into(),
        samples: penguins(),
        history: before.iter().map(|question| earlier(question)).collect(),
        ..PlanContext::default()
    };
    let before = ["average body mass by species of only females"];
    for question in ["how many penguins per island?", "clean the data", "distribution of flipper length by sex"] {
        let alone = question::plan(question, &penguins());
        let understanding = followup::plan(&context(question, &before));
        assert_eq!((understanding.plan, understanding.from), (alone, None), "{question}");
    }
    let Plan::Table(plan) = followup::plan(&context("and by island too", &before)).plan else { panic!("a table") };
    assert_eq!(plan.filters.len(), 1);
    let Task::Aggregate { by, .. } = plan.task else { panic!("{:?}", plan.task) };
    assert_eq!(by, ["species", "island"]);
}
