//! A turn that the caller interrupts.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_runtime::{
    CancellationToken, Ending, Event, EventBody, ImageSource, ImageStore, Job, Limits, Mode, Outcome, Program, Session,
};

struct Place {
    image: std::sync::Arc<glovebox_runtime::Image>,
    workspace: tempfile::TempDir,
    scratch: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let cache = std::env::var_os("GLOVEBOX_CACHE_DIR").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| std::env::temp_dir().join("glovebox-tests"));
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images/python");
        let store = ImageStore::new(vec![ImageSource::Dir(dir.into())], &cache).expect("store");
        store.prepare("python", &mut |_| {}).expect("prepared");
        let image = store.load("python").expect("loaded");
        Place { image, workspace: tempfile::tempdir().expect("dir"), scratch: tempfile::tempdir().expect("dir") }
    }

    fn job(&self, source: &str) -> Job {
        Job {
            image: "python".into(),
            program: Program { source: source.into(), ..Program::default() },
            workspace: self.workspace.path().into(),
            limits: Limits::default(),
            mode: Mode::Live,
            seed: None,
        }
    }
}

/// Takes a turn and cancels it once it has printed something.
async fn interrupted(place: &Place, session: &mut Session, source: &str) -> Outcome {
    let cancel = CancellationToken::new();
    let when = cancel.clone();
    let mut on_event = move |event: Event| {
        if matches!(event.body, EventBody::Stdout { .. }) {
            let when = when.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                when.cancel();
            });
        }
    };
    session.turn(&place.job(source), &mut on_event, &cancel).await.expect("our side works")
}

#[test]
fn an_interrupted_program_raises_and_its_session_goes_on_but_one_that_ignores_it_is_stopped() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio");
    runtime.block_on(async {
        let mut session = Session::open(&place.image, &place.job(""), place.scratch.path()).await.expect("opened");
        for source in [
            "n = 1\nprint('go')\nwhile True: n += 1",
            "import time\nprint('go')\ntime.sleep(30)",
            "print('go')\nwhile True: time.sleep(0.01)",
            "import re\nprint('go')\nwhile True: re.sub('a', 'b', 'banana')",
        ] {
            let outcome = interrupted(&place, &mut session, source).await;
            assert_eq!(outcome.ending, Ending::Cancelled, "{source}");
            assert!(outcome.stderr.contains("KeyboardInterrupt"), "{source}: {}", outcome.stderr);
            assert!(session.is_intact(), "{source}");
        }
        let caught = "print('go')\ntry:\n    while True: pass\nexcept KeyboardInterrupt:\n    print('caught', n > 1)";
        let outcome = interrupted(&place, &mut session, caught).await;
        assert_eq!((outcome.ending, outcome.stdout.as_str()), (Ending::Exited { code: 0 }, "go\ncaught True\n"));

        let stubborn = "print('go')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass";
        let outcome = interrupted(&place, &mut session, stubborn).await;
        assert_eq!(outcome.ending, Ending::Cancelled);
        assert!(!session.is_intact());
        assert!(session.turn(&place.job("1"), &mut |_| {}, &CancellationToken::new()).await.is_err());
    });
}
