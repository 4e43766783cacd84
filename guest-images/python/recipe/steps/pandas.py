"""pandas: templates to Cython, Cython to C, C to objects, without meson."""
import glob
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

from driver.lock import Problem
from driver.step import JOBS, contents, sha256

NEEDS = ['toolchain', 'native', 'tools', 'cpython', 'numpy']
SOURCES = ['pandas']
# Cython modules below pandas/_libs.
CYTHON = '''algos arrays groupby hashing hashtable index indexing internals interval join lib missing ops ops_dispatch parsers properties
 reshape sas byteswap sparse tslib testing writers window/indexers window/aggregations'''.split()
CYTHON += ['tslibs/' + name for name in '''base ccalendar dtypes conversion fields nattype np_datetime offsets parsing period strptime
 timedeltas timestamps timezones tzconversion vectorized'''.split()]
# The text reader, which four modules use.
READER = ['src/parser/tokenizer.c', 'src/parser/io.c']
VENDORED = 'src/vendored/numpy/datetime/'
PLAIN = {
    'pandas_datetime': [VENDORED + 'np_datetime.c', VENDORED + 'np_datetime_strings.c', 'src/datetime/date_conversions.c',
                        'src/datetime/pd_datetime.c'],
    'pandas_parser': ['src/parser/pd_parser.c'],
    'json': ['src/vendored/ujson/python/ujson.c', 'src/vendored/ujson/python/objToJSON.c', 'src/vendored/ujson/python/JSONtoObj.c',
             'src/vendored/ujson/lib/ultrajsonenc.c', 'src/vendored/ujson/lib/ultrajsondec.c'],
}
# pandas carries copies of numpy's datetime functions under numpy's names; one program cannot hold both.
RENAMED = [f'-D{name}=pd_{name}' for name in '''get_datetime_metadata_from_dtype is_leapyear add_minutes_to_datetimestruct
 get_datetimestruct_days'''.split()]


def build(step):
    source = step.source('pandas')
    libs = f'{source}/pandas/_libs'
    for template in sorted(glob.glob(f'{libs}/*.pxi.in')):
        step.run([step.python, f'{source}/generate_pxi.py', template, '-o', libs], PYTHONPATH=f'{step.result("tools")}/site')
    generated = cythonized(step, source)
    flags = ['-O2', '-Werror=incompatible-pointer-types', '-D_GNU_SOURCE', '-DNDEBUG', '-mno-nontrapping-fptoint', '-DNPY_NO_DEPRECATED_API=0',
             '-DNPY_TARGET_VERSION=NPY_1_21_API_VERSION', '-DCYTHON_PEP489_MULTI_PHASE_INIT=1', f'-I{step.result("numpy")}/include',
             *(f'-I{libs}/{path}' for path in ('include', '', 'src')), f'-I{step.result("cpython")}/include/python3.13']
    reader = step.library('pandas_reader', step.compile([f'{libs}/{part}' for part in READER], [*flags, '-std=c11'], 'reader'))
    files, modules = [], []
    for name in [*CYTHON, *PLAIN]:
        module = 'pandas._libs.' + name.replace('/', '.')
        for path in [generated[name]] if name in CYTHON else [f'{libs}/{part}' for part in PLAIN[name]]:
            own = ['-std=c++17' if path.endswith('.cpp') else '-std=c11', step.init_flag(module)]
            files.append((path, own + (RENAMED if name == 'pandas_datetime' else [])))
            modules.append(module)
    objects = step.compile(files, flags, 'modules')
    for module in dict.fromkeys(modules):
        step.module(module, [path for path, owner in zip(objects, modules) if owner == module], [reader])
    step.site('pandas', f'{source}/pandas', skip=['tests'])
    version = step.version('pandas')
    step.site_text('pandas/_version_meson.py', f'__version__ = "{version}"\n__git_version__ = ""\n')
    step.metadata('pandas', version)


def cythonized(step, source):
    """Translates, the largest files first, unless all that Cython reads is what it was."""
    folder = os.path.join(step.work, 'c')
    targets = {name: f'{folder}/{name}.{"cpp" if name == "window/aggregations" else "c"}' for name in CYTHON}
    stamp = os.path.join(folder, '.key')
    read = sorted(path for kind in ('pyx', 'pxd', 'pxi') for path in glob.glob(f'{source}/pandas/**/*.{kind}', recursive=True))
    key = sha256(step.steps['tools'].key, contents(f'{step.result("numpy")}/cython'), contents(__file__),
                 *(os.path.relpath(path, source) + contents(path) for path in read))
    if os.path.exists(stamp) and open(stamp).read() == key:
        return targets
    shutil.rmtree(folder, ignore_errors=True)

    def translate(name):
        target = targets[name]
        os.makedirs(os.path.dirname(target), exist_ok=True)
        command = [f'{step.result("tools")}/bin/cython', '-3', '-X', 'always_allow_keywords=true', '--include-dir', f'{source}/pandas/_libs',
                   '-I', source, '-I', f'{step.result("numpy")}/cython', *(['--cplus'] if target.endswith('.cpp') else []),
                   f'pandas/_libs/{name}.pyx', '-o', target]
        done = subprocess.run(command, cwd=source, env=step.environment(), capture_output=True, text=True)
        return '' if done.returncode == 0 else f'{name}: {done.stderr[-3000:]}'

    by_size = sorted(CYTHON, key=lambda name: -os.path.getsize(f'{source}/pandas/_libs/{name}.pyx'))
    with ThreadPoolExecutor(JOBS) as pool:
        failed = [told for told in pool.map(translate, by_size) if told]
    if failed:
        raise Problem('\n'.join(failed[:3]))
    with open(stamp, 'w') as file:
        file.write(key)
    return targets
