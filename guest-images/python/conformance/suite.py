"""Runs one shard of a package's own tests, natively or in the guest, and writes each test's end as a line of JSON.

The shard is `shard.json`: {"root": where the test files lie or null for tests.zip, "package", "files": [path],
"tests": [id] or null for all of the files}. Results go to `results.jsonl`, flushed after each test, so that a run which
is stopped still tells how far it came.
"""
import importlib
import json
import os
import sys
import tempfile
import types
import zipfile

MARKS = "not slow and not network and not db and not single_cpu and not clipboard"


def unpack(package):
    """The package's tests out of tests.zip; all of them, since some import others."""
    root = "/tmp/tests"  # not in the workspace, where every file would be collected as a result
    with zipfile.ZipFile("tests.zip") as archive:
        archive.extractall(root, [name for name in archive.namelist() if name.startswith(package + "/")])
    return root


def extend_packages(root, package):
    """Lets `numpy._core.tests` and the like be found beside the packages in the image, which come without tests."""
    for folder, folders, _ in os.walk(os.path.join(root, package)):
        if "tests" in folders:
            name = os.path.relpath(folder, root).replace(os.sep, ".")
            importlib.import_module(name).__path__.append(folder)


class Recorder:
    def __init__(self, path, tests):
        self.file = open(path, "w")
        self.tests = None if tests is None else set(tests)
        self.now = {}

    def write(self, **line):
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def pytest_collection_modifyitems(self, items):
        if self.tests is not None:
            items[:] = [item for item in items if item.nodeid in self.tests and not self.lacks_type(item.nodeid)]

    @staticmethod
    def lacks_type(test):
        module = sys.modules.get("numpy._core._rational_tests")
        return "rational" in test.lower() and isinstance(module, Absent)

    def pytest_collectreport(self, report):
        if report.failed:
            self.write(file=report.nodeid.split("::")[0], why=last_line(report))

    def pytest_runtest_logstart(self, nodeid):
        self.now = {"outcome": "passed", "why": "", "seconds": 0.0}
        self.write(start=nodeid)

    def pytest_runtest_logreport(self, report):
        now = self.now
        now["seconds"] += report.duration
        if report.failed and now["outcome"] == "passed":
            now["outcome"], now["why"] = "failed", last_line(report)
        elif report.skipped:
            expected = hasattr(report, "wasxfail")
            now["outcome"] = "xfailed" if expected else "skipped"
            now["why"] = str(report.wasxfail if expected else report.longrepr[-1])[:300]
        elif report.when == "call" and hasattr(report, "wasxfail"):
            now["outcome"] = "xpassed"
        if report.when == "teardown":
            now["seconds"] = round(now["seconds"], 4)
            self.write(test=report.nodeid, **now)


def last_line(report):
    """What pytest says in one line, with the place."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return " | ".join(str(report.longrepr).strip().splitlines()[-2:])[:300]
    return f"{os.path.basename(crash.path)}:{crash.lineno}: {' '.join(crash.message.split())}"[:400]


def by_name(root):
    """Imports a test file under its package's name; pytest's own ways would make a second package of it."""
    def import_path(path, **_):
        name = os.path.relpath(path, root).removesuffix(".py").replace(os.sep, ".")
        return importlib.import_module(name)

    import _pytest.config
    import _pytest.python
    _pytest.config.import_path = _pytest.python.import_path = import_path


def fit_platform():
    """What pytest takes for granted and WASI does not have."""
    import _pytest.tmpdir
    if not hasattr(os, "getuid"):
        _pytest.tmpdir.get_user_id = lambda: None


def run_what_numpy_skips():
    """numpy's tests skip on WebAssembly what Pyodide cannot do, floating-point errors above all; here they are run."""
    import numpy.testing
    numpy.testing.IS_WASM = numpy.testing._private.utils.IS_WASM = False


class Absent(types.ModuleType):
    """In place of one of numpy's C helpers for its tests: a test that uses it is skipped, so counted as missed."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def skip(*_args, **_options):
            import pytest
            pytest.skip("numpy's C test module is not in the image: " + self.__name__)

        return skip


def stand_in_for_c_helpers():
    """Where the image has none of numpy's C helpers."""
    import numpy

    class Rational(numpy.float64):
        """In lists of types and in arrays that are made when a file is collected; tests of rationals are left out."""

        def __new__(cls, numerator=0, denominator=1):
            return super().__new__(cls, numerator / denominator)

    for name in ("_multiarray_tests", "_umath_tests", "_rational_tests", "_operand_flag_tests", "_struct_ufunc_tests"):
        name = "numpy._core." + name
        try:
            importlib.import_module(name)
        except ImportError:
            sys.modules[name] = module = Absent(name)
            setattr(sys.modules["numpy._core"], name.rsplit(".", 1)[1], module)
            module.get_fpu_mode = lambda: 0
            module.rational = Rational


def limit_memory():
    """The guest's 4 GiB are the limit on both sides; numpy asks a variable before it tests with gigabytes."""
    os.environ["NPY_AVAILABLE_MEM"] = "2 GB"
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def main():
    limit_memory()
    with open("shard.json") as file:
        shard = json.load(file)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    root = shard["root"]
    if root is None:
        sys.path.insert(0, os.path.abspath("plugins.zip"))
        root = unpack(shard["package"])
        extend_packages(root, shard["package"])
        run_what_numpy_skips()
        stand_in_for_c_helpers()
    import hypothesis
    import pytest
    by_name(root)
    fit_platform()
    hypothesis.settings.register_profile("same", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("same")
    recorder = Recorder("results.jsonl", shard["tests"])
    with open("suite.ini", "w") as ini:
        ini.write("[pytest]\nxfail_strict = true\n")
    options = ["-c", os.path.abspath("suite.ini"), "--rootdir", root, "--assert=plain", "-q", "--capture=sys", "--tb=short",
               "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:threadexception",
               "-p", "no:unraisableexception", "--basetemp", os.path.join(tempfile.gettempdir(), "basetemp"), "-m", MARKS,
               "--no-summary", "--continue-on-collection-errors"]
    code = pytest.main(options + [os.path.join(root, name) for name in shard["files"]], plugins=[recorder])
    recorder.write(end=int(code))


main()
