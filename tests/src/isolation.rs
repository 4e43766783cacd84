//! Runs share nothing: not variables, not files, not randomness.

use glovebox_runtime::Ending;
use glovebox_tests::{check, job, run_here};

const OURS: [&str; 2] = ["python", "rustpython"];

#[test]
fn a_variable_of_one_run_is_unknown_to_the_next() {
    for image in OURS {
        assert!(check(image, "import builtins\nsecret = 42\nbuiltins.secret = 42").ending.is_success());
        let outcome = check(image, "print(secret)");
        assert!(matches!(&outcome.ending, Ending::Raised { exception, .. } if exception == "NameError"), "{outcome:?}");
    }
}

#[test]
fn a_file_in_tmp_is_gone_in_the_next_run() {
    for image in OURS {
        assert!(check(image, "open('/tmp/left', 'w').write('x')").ending.is_success());
        let outcome = check(image, "import os\nprint(os.path.exists('/tmp/left'))");
        assert_eq!(outcome.stdout, "False\n");
    }
}

#[test]
fn a_changed_module_is_whole_again_in_the_next_run() {
    assert!(check("python", "import numpy, json\nnumpy.sum = json.dumps = None").ending.is_success());
    assert_eq!(check("python", "import numpy, json\nprint(numpy.sum([1, 2]), json.dumps([1]))").stdout, "3 [1]\n");
}

#[test]
fn randomness_differs_between_runs_and_agrees_for_one_seed() {
    for (image, source) in [
        ("python", "import random, uuid, numpy as np\nprint(random.random(), np.random.rand(), uuid.uuid4())"),
        ("rustpython", "import random\nprint(random.random())"),
    ] {
        assert_ne!(check(image, source).stdout, check(image, source).stdout, "{image}");
        let seeded = |seed| {
            let workspace = tempfile::tempdir().expect("a directory");
            let mut job = job(image, source, workspace.path());
            job.seed = Some(seed);
            run_here(&job).stdout
        };
        assert_eq!(seeded(7), seeded(7), "{image}");
        assert_ne!(seeded(7), seeded(8), "{image}");
    }
}

#[test]
fn a_crash_of_one_run_does_not_touch_the_next() {
    for source in ["import os\nos.abort()", "import os\nos._exit(3)", "import sys\nsys.exit(300)"] {
        let _ = check("python", source);
        assert_eq!(check("python", "print('fine')").stdout, "fine\n", "after {source}");
    }
}
