#!/usr/bin/env python3
"""Checks a built guest: warms it once, copies its memory into fresh instances, and asserts what turns there print and return.

    pip install wasmtime
    python check.py rustpython_guest.wasm

Every check is a function that takes `fresh`, a maker of restored instances.
"""
import ctypes
import json
import os
import random
import sys
import tempfile
import time
from types import SimpleNamespace

import wasmtime

STACK = 2 << 20         # the smallest wasm stack a host may give
MEMORY = 512 << 20
I32, I64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()


class Host:
    """A compiled guest."""

    def __init__(self, path):
        config = wasmtime.Config()
        config.consume_fuel = True
        config.max_wasm_stack = STACK
        self.engine = wasmtime.Engine(config)
        cache = path + '.cwasm'
        if os.path.exists(cache) and os.path.getmtime(cache) > os.path.getmtime(path):
            self.module = wasmtime.Module.deserialize_file(self.engine, cache)
        else:
            self.module = wasmtime.Module.from_file(self.engine, path)
            with open(cache, 'wb') as f:
                f.write(self.module.serialize())


class Instance:
    """One instance with its own files; `image` is the memory of a warm one."""

    def __init__(self, host, image=None, env=(('HOME', '/tmp'), ('TMPDIR', '/tmp'), ('FROM_HOST', 'yes')), stdin=''):
        self.root = tempfile.TemporaryDirectory()
        for name in ('tmp', 'data', 'dev'):
            os.mkdir(self.path(name))
        for name in ('in', 'out', 'err', 'dev/null'):
            with open(self.path(name), 'w') as f:
                f.write(stdin if name == 'in' else '')
        wasi = wasmtime.WasiConfig()
        wasi.env = list(env)
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = self.path('in'), self.path('out'), self.path('err')
        wasi.preopen_dir(self.path('data'), '/mnt/data')
        wasi.preopen_dir(self.path('tmp'), '/tmp')
        wasi.preopen_dir(self.path('dev'), '/dev')
        self.store = wasmtime.Store(host.engine)
        self.store.set_limits(memory_size=MEMORY)
        self.store.set_fuel(10**12)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(host.engine)
        linker.define_wasi()
        linker.define_func('glovebox', 'event', wasmtime.FuncType([I32, I32], []),
                           lambda ptr, n: self.events.append(json.loads(self.read(ptr, n))))
        linker.define_func('glovebox', 'call', wasmtime.FuncType([I32, I32], [I64]), self.answer)
        self.events, self.seen = [], {'out': 0, 'err': 0}
        self.exports = linker.instantiate(self.store, host.module).exports(self.store)
        self.memory = self.exports['memory']
        if image:
            missing = len(image) - self.memory.data_len(self.store)
            if missing > 0:
                self.memory.grow(self.store, missing // 65536)
            ctypes.memmove(self.base(), image, len(image))

    def path(self, name):
        return os.path.join(self.root.name, name)

    def base(self):
        return ctypes.addressof(self.memory.data_ptr(self.store).contents)

    def read(self, ptr, n):
        return ctypes.string_at(self.base() + (ptr & 0xffffffff), n)

    def put(self, data):
        ptr = self.exports['gb_alloc'](self.store, len(data)) & 0xffffffff
        ctypes.memmove(self.base() + ptr, data, len(data))
        return ptr

    def answer(self, ptr, n):
        request = json.loads(self.read(ptr, n))
        if request.get('refuse'):
            return -1
        data = json.dumps({'echo': request}).encode()
        return self.put(data) << 32 | len(data)

    def written(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            f.seek(self.seen[name])
            text = f.read()
            self.seen[name] = f.tell()
        return text

    def turn(self, source, **request):
        data = json.dumps({'source': source, 'cwd': '/mnt/data', **request}).encode()
        self.events.clear()
        fuel, start = self.store.get_fuel(), time.perf_counter()
        status = self.exports['gb_turn'](self.store, self.put(data), len(data))
        seconds = time.perf_counter() - start
        return SimpleNamespace(status=status, out=self.written('out'), err=self.written('err'), events=list(self.events),
                               shown=[e for e in self.events if e['type'] == 'display'], seconds=seconds,
                               fuel=fuel - self.store.get_fuel())

    def prints(self, source, expected, **request):
        r = self.turn(source, **request)
        assert (r.status, r.out, r.err) == (0, expected, ''), r
        return r

    def fails(self, source, name, text, **request):
        r = self.turn(source, **request)
        assert r.status == 1 and r.events[-1]['type'] == 'error', r
        assert r.events[-1]['name'] == name and text in r.err, r
        assert r.events[-1]['traceback'] == r.err, r
        return r


def prints_and_keeps_variables(fresh):
    i = fresh()
    i.prints('x = 20\nprint(1)', '1\n')
    i.prints('x += 1\nprint(x)', '21\n')
    fresh().fails('x', 'NameError', "name 'x' is not defined")


def shows_the_last_expression(fresh):
    i = fresh()
    r = i.prints('a = 6\na * 7', '')
    assert r.shown == [{'type': 'display', 'data': {'text/plain': '42'}, 'main': True}], r
    assert not i.prints('None', '').shown and not i.prints('a * 7', '', echo='none').shown
    assert i.turn('_ + 1').shown[0]['data']['text/plain'] == '43'
    i.turn('from __future__ import annotations\n(lambda x: x)(3)')


def shows_rich_values(fresh):
    i = fresh()
    r = i.turn('''class R:
    def __repr__(self): return 'R'
    def _repr_html_(self): return '<i>é</i>'
    def _repr_png_(self): return b'\\x89PNG'
    def _repr_json_(self): return {'a': 1}
    def _repr_svg_(self): raise ValueError
class B:
    def _repr_mimebundle_(self, include=None, exclude=None): return {'text/markdown': '*b*'}, {}
class Bad:
    def __repr__(self): raise ValueError('no')
display(R(), B())
Bad()''')
    data = [e['data'] for e in r.shown]
    assert data[0] == {'text/plain': 'R', 'text/html': '<i>é</i>', 'image/png': 'iVBORw==', 'application/json': {'a': 1}}, r
    assert data[1]['text/markdown'] == '*b*' and 'B object' in data[1]['text/plain'], r
    assert 'Bad object' in data[2]['text/plain'] and [e['main'] for e in r.shown] == [False, False, True], r


def reports_exceptions_with_source_lines(fresh):
    i = fresh()
    r = i.fails('def f(n):\n    return 1 / n\nf(0)\n', 'ZeroDivisionError', '    return 1 / n', filename='main.py')
    assert r.err.startswith('Traceback (most recent call last):\n  File "main.py", line 3, in <module>\n    f(0)'), r.err
    assert 'glovebox' not in r.err, r.err
    r = i.fails('a = (1,\nb = 2\n', 'SyntaxError', '    b = 2')
    assert 'glovebox' not in r.err and 'Traceback' not in r.err, r.err
    r = i.fails('try:\n    {}["k"]\nexcept KeyError as e:\n    raise ValueError("v") from e', 'ValueError', 'direct cause')
    assert "KeyError: 'k'" in r.err, r.err
    i.fails('class E(Exception):\n    def __str__(self): raise ValueError\nraise E', 'E', 'E')
    i.fails('import json\njson.loads("{")', 'JSONDecodeError', 'line 1 column 2')


def exits_with_the_scripts_status(fresh):
    i = fresh()
    for source, status in [('import sys; sys.exit(3)', 3), ('sys.exit()', 0), ('sys.exit(-1)', 255), ('exit(4)', 4),
                           ('raise SystemExit', 0), ('raise KeyboardInterrupt', 130)]:
        assert i.turn(source).status == status, source
    r = i.turn('sys.exit("bye")')
    assert (r.status, r.err) == (1, 'bye\n') and not r.events, r


def takes_argv_env_cwd_and_stdin(fresh):
    i = fresh()
    i.prints('import os, sys\nprint(os.getcwd(), sys.argv, os.environ["FROM_HOST"], os.environ["K"], os.getenv("K"))',
             "/mnt/data ['s.py', 'ä'] yes v v\n", argv=['s.py', 'ä'], env={'K': 'v'})
    i.prints('print(os.environ["K"], sys.argv)', "v ['s.py', 'ä']\n")
    i.fails('input()', 'EOFError', 'EOF')
    fresh(stdin='née\nrest\n').prints('import sys\nprint(input("? "), sys.stdin.read())', '? née rest\n\n')
    fresh().prints('import os\nprint(os.environ.get("K"))', 'None\n')


def reads_and_writes_files(fresh):
    i = fresh()
    with open(i.path('data/in.csv'), 'w') as f:
        f.write('name,n\na,1\nb,2\n')
    i.prints('''import csv, json, pathlib, os
rows = list(csv.DictReader(open('in.csv')))
with open('/mnt/data/out.json', 'w') as f: json.dump({r['name']: int(r['n']) for r in rows}, f)
pathlib.Path('d/e').mkdir(parents=True)
pathlib.Path('d/e/f.txt').write_text('ü')
print(sorted(os.listdir('.')), [str(p) for p in pathlib.Path('.').rglob('*.txt')], os.path.exists('nope'))''',
             "['d', 'in.csv', 'out.json'] ['d/e/f.txt'] False\n")
    with open(i.path('data/out.json')) as f:
        assert json.load(f) == {'a': 1, 'b': 2}
    i.fails("open('nope')", 'FileNotFoundError', "No such file or directory: 'nope'")
    i.fails("open('/etc/passwd')", 'FileNotFoundError', 'No such file or directory')
    i.fails("open('../../etc/passwd')", 'PermissionError', 'Operation not permitted')
    i.prints("try: open('nope')\nexcept OSError as e: print(e, e.strerror, e.errno)",
             "[Errno 44] No such file or directory: 'nope' No such file or directory 44\n")
    i.fails("os.mkdir('d')", 'FileExistsError', "File exists: 'd'")
    i.fails("os.listdir('in.csv')", 'NotADirectoryError', "Not a directory: 'in.csv'")
    i.prints('''import shutil, zipfile, gzip
shutil.copy('in.csv', 'c.csv'); os.rename('c.csv', 'r.csv'); shutil.rmtree('d')
with zipfile.ZipFile('z.zip', 'w', zipfile.ZIP_DEFLATED) as z: z.write('r.csv')
print(zipfile.ZipFile('z.zip').read('r.csv')[:6], os.path.getsize('r.csv')); os.remove('r.csv')
with gzip.open('g.gz', 'wt') as f: f.write('zip')
import tarfile
with tarfile.open('t.tar', 'w') as t: t.add('in.csv')
tarfile.open('t.tar').extractall('o', filter='data'); print(os.listdir('o'))
print(gzip.open('g.gz').read(), open(os.devnull).read() == '')''', "b'name,n' 15\n['in.csv']\nb'zip' True\n")


def imports_the_users_modules(fresh):
    i = fresh()
    i.prints('open("mine.py", "w").write("v = 1\\ndef f(): raise ValueError(v)\\n")\nimport mine\nprint(mine.v)', '1\n')
    i.fails('mine.f()', 'ValueError', 'def f(): raise ValueError(v)')


def puts_temporary_files_in_tmp(fresh):
    fresh().prints('''import tempfile, os
with tempfile.NamedTemporaryFile('w+') as f:
    f.write('t'); f.flush(); f.seek(0)
    print(f.name.startswith('/tmp/'), f.read())
with tempfile.TemporaryDirectory() as d: print(os.path.isdir(d), tempfile.gettempdir())
print(os.path.exists(d))''', 'True t\nTrue /tmp\nFalse\n')


def draws_fresh_random_numbers(fresh):
    draw = 'import random, uuid, secrets, os\nprint(random.random(), random.Random().random(), uuid.uuid4(), os.urandom(4))'
    a, b = fresh().turn(draw).out.split(), fresh().turn(draw).out.split()
    assert all(x != y for x, y in zip(a, b, strict=True)), (a, b)
    reseed = 'import random\nrandom.seed()\nprint(random.random())'
    assert fresh().turn(reseed).out != fresh().turn(reseed).out
    seeded = 'import random\nprint(random.random(), random.sample(range(9), 3))'
    r = random.Random(42)       # CPython's own numbers
    for i in (fresh(), fresh()):
        i.prints(seeded, f'{r.random()} {r.sample(range(9), 3)}\n', seed=42)
        r.seed(42)


def runs_asyncio(fresh):
    i = fresh()
    i.prints('''import asyncio, time
async def f(n):
    await asyncio.sleep(0.02 * n)
    return n
async def main():
    start = time.monotonic()
    print(await asyncio.gather(f(3), f(1)), time.monotonic() - start < 1, await asyncio.to_thread(pow, 2, 10))
    try: await asyncio.wait_for(asyncio.sleep(9), 0.01)
    except TimeoutError: print('late')
    q = asyncio.Queue()
    async with asyncio.TaskGroup() as g:
        g.create_task(q.put(5)); t = g.create_task(q.get())
    return t.result()
print(asyncio.run(main()))
loop = asyncio.new_event_loop(); print(loop.run_until_complete(f(1))); loop.close()''', '[3, 1] True 1024\nlate\n5\n1\n')
    i.fails('async def never(): await asyncio.Event().wait()\nasyncio.run(never())', 'RuntimeError', 'deadlock')


def runs_threads_inline(fresh):
    i = fresh()
    i.prints('''from concurrent.futures import ThreadPoolExecutor, as_completed
import threading, queue
with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(pow, [1, 2, 3], [2, 2, 2])), sorted(f.result() for f in as_completed([pool.submit(len, 'ab')])))
q = queue.Queue()
t = threading.Thread(target=q.put, args=(1,)); t.start(); t.join(); print(q.get(), t.is_alive())
with threading.Lock(): pass''', '[1, 4, 9] [2]\n1 False\n')
    i.fails('q.get()', 'RuntimeError', 'deadlock')


def ends_deep_recursion_with_an_exception(fresh):
    i = fresh()
    i.fails('def r(n): return r(n + 1)\nr(0)', 'RecursionError', 'maximum recursion depth exceeded')
    i.fails('import sys\nsys.setrecursionlimit(10**6)\nr(0)', 'RecursionError', '')
    i.fails('class A:\n    def __add__(self, o): return self + o\nA() + 1', 'RecursionError', '')
    i.fails('class G:\n    def __getattr__(self, n): return getattr(self, n + "x")\nG().a', 'RecursionError', '')
    i.fails('s = sorted\ndef k(x): return s([1, 2], key=k)\nk(1)', 'RecursionError', '')
    i.fails('l = []\nfor _ in range(10**5): l = [l]\nrepr(l)', 'RecursionError', '')
    i.fails('import json\njson.loads("[" * 10**5)', 'RecursionError', '')
    i.fails('def g():\n    yield from g()\nlist(g())', 'RecursionError', '')
    i.fails('import pickle\npickle.dumps(l)', 'RecursionError', '')
    for source in ('eval("(" * 50000 + ")" * 50000)', 'import ast; ast.literal_eval("[" * 3000 + "]" * 3000)',
                   'eval("-" * 500 + "1")', 'eval("+".join(["1"] * 500))'):
        assert i.turn(source).status in (0, 1), source
    i.prints('del l\nprint("alive")', 'alive\n')


def ends_big_allocations_with_an_exception(fresh):
    i = fresh()
    i.fails('b = []\nwhile True: b.append(bytearray(8 << 20))', 'MemoryError', 'MemoryError')
    i.prints('b = None\nprint("alive")', 'alive\n')


def talks_to_the_host(fresh):
    i = fresh()
    r = i.prints("import glovebox_guest as g\ng.event({'type': 'note', 'n': 1})\nprint(g.call({'a': ['ü']}))", "{'echo': {'a': ['ü']}}\n")
    assert {'type': 'note', 'n': 1} in r.events, r
    i.fails("g.call({'refuse': 1})", 'OSError', 'the host refused the call')


def has_the_usual_modules(fresh):
    i = fresh()
    i.prints('''import re, datetime, dataclasses, collections, itertools, functools, statistics, decimal, fractions, hashlib, base64
print(re.sub(r'(\\w+) (\\w+)', r'\\2 \\1', 'hello world'), re.findall(r'(?i)[a-c]+', 'ABCxab'))
print(datetime.date(2024, 2, 29) + datetime.timedelta(365), datetime.datetime.strptime('2024-07-01', '%Y-%m-%d').strftime('%a %d %b'))
@dataclasses.dataclass(order=True)
class P:
    x: int
    y: list = dataclasses.field(default_factory=list)
print(P(1), P(1) < P(2), dataclasses.asdict(P(3, [1])))
print(collections.Counter('abca').most_common(1), list(itertools.pairwise('abc')), statistics.median([3, 1, 2]))
print(decimal.Decimal('0.1') + decimal.Decimal('0.2'), fractions.Fraction(1, 3) + 1, 2 ** 100, round(2.675, 2))
print(hashlib.sha256(b'x').hexdigest()[:8], base64.b64encode(b'hi'), f'{1234567.891:,.2f}', f'{"é":>3}|')''',
             "world hello ['ABC', 'ab']\n2025-02-28 Mon 01 Jul\nP(x=1, y=[]) True {'x': 3, 'y': [1]}\n"
             "[('a', 2)] [('a', 'b'), ('b', 'c')] 2\n0.3 4/3 1267650600228229401496703205376 2.67\n"
             "2d711642 b'aGk=' 1,234,567.89   é|\n")
    i.prints('''import json, enum, typing, textwrap, string, heapq, bisect, copy, pickle, struct, io, time, zoneinfo, logging, unittest, argparse
print(json.dumps({'b': [1, 2.5, None, True], 'ä': 'ü'}, sort_keys=True), pickle.loads(pickle.dumps({1: (2,)})))
print(abs(time.time() - datetime.datetime.now().timestamp()) < 1, time.time() > 1.7e9)
match {'k': [1, 2]}:
    case {'k': [a, *r]}: print(a, r)
def gen():
    x = yield 1
    print(x)
g = gen(); next(g)
try: g.send('sent')
except StopIteration: pass''', '{"b": [1, 2.5, null, true], "\\u00e4": "\\u00fc"} {1: (2,)}\nTrue True\n1 [2]\nsent\n')


def warns_on_stderr(fresh):
    r = fresh().turn('import warnings, logging, sys\nwarnings.warn("careful")\nlogging.warning("l")\nprint("e", file=sys.stderr)')
    assert r.status == 0 and 'UserWarning: careful' in r.err and 'WARNING:root:l' in r.err and r.err.endswith('e\n'), r


def is_equal_in_every_instance(fresh):
    source = 'print(1)'
    assert fresh().turn(source, seed=1).fuel == fresh().turn(source, seed=1).fuel
    assert fresh().turn('print({"a", "b", "c"}, hash("x"))').out == fresh().turn('print({"a", "b", "c"}, hash("x"))').out


def refuses_a_bad_request(fresh):
    r = fresh().turn(None)
    assert r.status == 1 and r.events[-1]['type'] == 'error', r


def check_exports(module):
    names = {e.name for e in module.exports}
    imports = {(i.module, i.name) for i in module.imports}
    assert {'memory', 'gb_warm', 'gb_alloc', 'gb_turn'} <= names, names
    assert not {'_start', '_initialize'} & names, names
    assert {i for i in imports if i[0] != 'wasi_snapshot_preview1'} <= {('glovebox', 'event'), ('glovebox', 'call')}, imports


def main(path, only):
    host = Host(path)
    check_exports(host.module)
    start = time.perf_counter()
    first = Instance(host, env=())
    status = first.exports['gb_warm'](first.store)
    assert status == 0, (status, first.written('out'), first.written('err'))
    assert not first.events and not first.written('out') and not first.written('err')
    image = first.read(0, first.memory.data_len(first.store))
    print(f'warm in {time.perf_counter() - start:.2f} s, memory {len(image) / 2**20:.1f} MiB')
    failed = 0
    for name, check in list(globals().items()):
        if getattr(check, '__code__', None) and check.__code__.co_varnames[:1] == ('fresh',) and (not only or name in only):
            try:
                check(lambda **options: Instance(host, image, **options))
                print('ok  ', name)
            except Exception as e:
                failed += 1
                print('FAIL', name, '\n    ', str(e).replace('\\n', '\n      ') or repr(e), '\n      line', e.__traceback__.tb_next.tb_lineno)
    times = sorted(Instance(host, image).turn('print(1)').seconds for _ in range(50))
    r = Instance(host, image).turn('print(1)')
    print(f'first print(1) of a restored instance: {1e3 * times[0]:.2f} ms best, {1e3 * times[25]:.2f} ms median, {r.fuel:,} fuel')
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
