"""A step of the build: what it gets, where it works, what it leaves."""
import glob
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

from . import fetch
from .lock import IMAGE, Problem

RECIPE = os.path.join(IMAGE, 'recipe')
JOBS = int(os.environ.get('J', '0')) or os.cpu_count() or 1
# Dates in archives and generated files.
EPOCH = '1735689600'


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode())
        digest.update(b'\0')
    return digest.hexdigest()


def contents(path):
    """Digest of a file, or of a folder's names and files."""
    if not os.path.isdir(path):
        with open(path, 'rb') as file:
            return sha256(file.read())
    names = sorted(os.path.relpath(os.path.join(folder, name), path)
                   for folder, _, files in os.walk(path) if '__pycache__' not in folder for name in files)
    return sha256(*(name + contents(os.path.join(path, name)) for name in names))


def mangled(module):
    """The init function of a module in the one table of modules: `a.b_c` is `PyInit_a__b_1c`."""
    return 'PyInit_' + module.replace('_', '_1').replace('.', '__')


class Step:
    """One step in one build folder.

    A step's file in `steps/` has `NEEDS` (steps before it), `SOURCES` (names in lock.toml), `FILES` (files or folders of
    the image that it reads, such as `recipe/compile/main.c`) and `build(step)`.
    """

    def __init__(self, name, root, sources, steps):
        self.name, self.root, self.steps = name, root, steps
        path = os.path.join(RECIPE, 'steps', name + '.py')
        if not os.path.exists(path):
            raise Problem(f'there is no step {name}')
        spec = importlib.util.spec_from_file_location('step_' + name, path)
        self.code = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.code)
        self.needs = list(self.code.NEEDS)
        missing = [key for key in self.code.SOURCES if key not in sources]
        if missing:
            raise Problem(f'step {name}: lock.toml pins no source named {", ".join(missing)}')
        self.sources = {key: sources[key] for key in self.code.SOURCES}
        self.work = os.path.join(root, 'work', name)
        self.out = os.path.join(root, 'out', name)
        self.log = os.path.join(root, 'logs', name + '.log')
        files = [path, os.path.join(RECIPE, 'driver/step.py')]
        files += [os.path.join(IMAGE, file) for file in getattr(self.code, 'FILES', [])]
        files += [patch for key in self.sources for patch in self.patches(key)]
        pins = [f'{key} {source.sha256}' for key, source in sorted(self.sources.items())]
        before = [steps[need].key for need in self.needs]
        self.key = sha256(*(os.path.relpath(file, IMAGE) + contents(file) for file in files), *pins, *before)

    # ---- what it gets ----

    @staticmethod
    def patches(key):
        return sorted(glob.glob(os.path.join(RECIPE, 'patches', key, '*.diff')))

    def source(self, key):
        """The unpacked tree of a source, with its patches."""
        source, patches = self.sources[key], self.patches(key)
        folder = os.path.join(self.root, 'src', f'{source.key}-{source.version}')
        stamp = folder + '.stamp'
        pin = sha256(source.sha256, *(contents(patch) for patch in patches))
        if os.path.isdir(folder) and os.path.exists(stamp) and open(stamp).read() == pin:
            return folder
        downloads = os.path.join(self.root, 'downloads')
        os.makedirs(downloads, exist_ok=True)
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        fetch.unpack(fetch.fetch(source, downloads), folder)
        fetch.patch(folder, patches)
        with open(stamp, 'w') as file:
            file.write(pin)
        return folder

    def archive(self, key):
        """The archive of a source as it was fetched."""
        downloads = os.path.join(self.root, 'downloads')
        os.makedirs(downloads, exist_ok=True)
        return fetch.fetch(self.sources[key], downloads)

    def version(self, key):
        return self.sources[key].version

    def result(self, name):
        """What an earlier step left."""
        return self.steps[name].out

    def recipe(self, path):
        """A file of the recipe."""
        return os.path.join(RECIPE, path)

    @property
    def compiler(self):
        return os.path.join(self.result('toolchain'), 'bin')

    @property
    def python(self):
        """A native interpreter of the guest's version, which sees the tools."""
        return os.path.join(self.result('native'), 'bin/python3.13')

    def environment(self, **more):
        env = {
            'PATH': os.pathsep.join([os.path.join(self.root, 'out', 'toolchain', 'bin'), os.path.join(self.root, 'out', 'tools', 'bin'),
                                     os.path.join(self.root, 'out', 'native', 'bin'), os.environ.get('PATH', '')]),
            'PYTHONPATH': os.path.join(self.root, 'out', 'tools', 'site'),
            'PYTHONDONTWRITEBYTECODE': '1', 'PYTHONHASHSEED': '0', 'PYTHONNOUSERSITE': '1',
            'IMAGE_BUILD_DIR': self.root, 'SOURCE_DATE_EPOCH': EPOCH, 'LC_ALL': 'C.UTF-8', 'TZ': 'UTC',
            'ZIG_GLOBAL_CACHE_DIR': os.path.join(self.root, 'zig-cache'), 'ZIG_LOCAL_CACHE_DIR': os.path.join(self.root, 'zig-cache'),
            'HOME': self.root, 'WCC_EXTRA': '-msimd128',
        }
        env.update(more)
        return env

    # ---- what it does ----

    def run(self, command, cwd=None, **environment):
        """Runs a command, its output in the log. Its failure ends the step."""
        with open(self.log, 'a') as log:
            log.write('$ ' + shlex.join(map(str, command)) + '\n')
            log.flush()
            done = subprocess.run(list(map(str, command)), cwd=cwd or self.work, env=self.environment(**environment),
                                  stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if done.returncode:
            with open(self.log, errors='replace') as log:
                tail = ''.join(log.readlines()[-25:])
            raise Problem(f'step {self.name}: {os.path.basename(str(command[0]))} failed ({done.returncode}); {self.log} ends with\n{tail}')

    def compile(self, sources, flags=(), name='objects', simd=True):
        """Compiles C and C++ files, `-O2` unless the flags say otherwise, and gives the objects in the same order.

        `sources` are paths, or pairs of a path and further flags. An object whose command and inputs are what they were is
        kept.
        """
        folder = os.path.join(self.work, name)
        os.makedirs(folder, exist_ok=True)
        jobs, taken = [], set()
        for source in sources:
            source, more = source if isinstance(source, tuple) else (source, ())
            label = os.path.basename(source).rsplit('.', 1)[0]
            number = 1
            while label in taken:
                number += 1
                label = f'{os.path.basename(source).rsplit(".", 1)[0]}-{number}'
            taken.add(label)
            jobs.append((source, os.path.join(folder, label + '.o'), [*flags, *more]))
        with ThreadPoolExecutor(JOBS) as pool:
            failed = [told for told in pool.map(lambda job: self._compile(*job, simd), jobs) if told]
        if failed:
            raise Problem(f'step {self.name}: {len(failed)} of {len(jobs)} files of {name} do not compile; the first:\n{failed[0]}')
        return [obj for _, obj, _ in jobs]

    def _compile(self, source, obj, flags, simd):
        tool = os.path.join(self.compiler, 'wcc' if source.endswith('.c') else 'w++')
        optimised = [] if any(flag.startswith('-O') for flag in flags) else ['-O2']
        command = [tool, *optimised, '-w', *flags, '-c', source, '-o', obj]
        record, depends = obj + '.json', obj + '.d'
        want = {'command': command, 'toolchain': self.steps['toolchain'].key if 'toolchain' in self.steps else ''}
        if os.path.exists(obj) and os.path.exists(record):
            try:
                with open(record) as file:
                    had = json.load(file)
                if all(had.get(key) == value for key, value in want.items()) and all(
                        os.path.exists(path) and self.steps_digest(path) == digest for path, digest in had['inputs'].items()):
                    return None
            except (ValueError, OSError):
                pass
        done = subprocess.run([*command, '-MD', '-MF', depends], cwd=self.work, capture_output=True, text=True,
                              env=self.environment(WCC_EXTRA='-msimd128' if simd else ''))
        if done.returncode:
            return f'{shlex.join(command)}\n{done.stderr[-4000:]}'
        with open(depends) as file:
            inputs = shlex.split(file.read().replace('\\\n', ' '))[1:]
        want['inputs'] = {path: self.steps_digest(path) for path in inputs if os.path.exists(path)}
        with open(record, 'w') as file:
            json.dump(want, file)
        return None

    @staticmethod
    def steps_digest(path):
        stat = os.stat(path)
        known = DIGESTS.get(path)
        if known and known[:2] == (stat.st_mtime_ns, stat.st_size):
            return known[2]
        digest = contents(path)
        DIGESTS[path] = (stat.st_mtime_ns, stat.st_size, digest)
        return digest

    # ---- what it leaves ----

    def library(self, name, objects):
        """An archive of objects in `lib/`."""
        folder = os.path.join(self.out, 'lib')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, f'lib{name}.a')
        if os.path.exists(path):
            os.unlink(path)
        self.run([os.path.join(self.compiler, 'war'), 'rcsD', path, *objects])
        return path

    def headers(self, folder, *paths):
        """Copies header files into `include/` below the result."""
        to = os.path.join(self.out, 'include', folder)
        os.makedirs(to, exist_ok=True)
        for path in paths:
            shutil.copy(path, to)

    def module(self, name, objects, libraries=()):
        """Registers a built-in module, whose init function was renamed at compile time (`init_flag`)."""
        self.modules.append({'name': name, 'init': mangled(name), 'objects': list(objects), 'libraries': list(libraries)})

    @staticmethod
    def init_flag(name):
        """The flag that renames a module's init function, so that all of them can be in one program."""
        return f'-DPyInit_{name.rsplit(".", 1)[-1]}={mangled(name)}'

    def site(self, path, tree, skip=()):
        """Adds a file or a folder of Python files to the library, at `path` in it."""
        to = os.path.join(self.out, 'site', path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if os.path.isdir(tree):
            shutil.copytree(tree, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns('__pycache__', *skip))
        else:
            shutil.copy(tree, to)

    def site_text(self, path, text):
        to = os.path.join(self.out, 'site', path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        with open(to, 'w') as file:
            file.write(text)

    def metadata(self, name, version):
        """What `importlib.metadata` reads of a package that was not installed from a wheel."""
        self.site_text(f'{name}-{version}.dist-info/METADATA', f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')

    def registered(self):
        """The modules of a step that is done."""
        path = os.path.join(self.out, 'modules.json')
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return json.load(file)

    @property
    def done(self):
        stamp = os.path.join(self.out, '.key')
        return os.path.exists(stamp) and open(stamp).read() == self.key

    def perform(self):
        """Builds unless the result of the same inputs is there."""
        if self.done:
            print(f'== {self.name}: unchanged', flush=True)
            return
        print(f'== {self.name}', flush=True)
        began = time.monotonic()
        shutil.rmtree(self.out, ignore_errors=True)
        for folder in (self.work, self.out, os.path.dirname(self.log)):
            os.makedirs(folder, exist_ok=True)
        open(self.log, 'w').close()
        self.modules = []
        self.code.build(self)
        with open(os.path.join(self.out, 'modules.json'), 'w') as file:
            json.dump(self.modules, file, indent=1)
        with open(os.path.join(self.out, '.key'), 'w') as file:
            file.write(self.key)
        print(f'   {self.name}: {time.monotonic() - began:.0f} s', flush=True)


DIGESTS = {}
