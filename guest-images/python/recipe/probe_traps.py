#!/usr/bin/env python3
"""Look for traps: call every function, method, getter and slot of every built-in module with none and with wrong arguments.

usage: probe_traps.py [--from N] IMAGE_DIR [MODULE_PREFIX…]      IMAGE_DIR as for host.py; N: skip the first N calls

A Python exception is the right answer to a wrong argument; a trap is not. After each trap a fresh instance goes on
behind the call that caused it. Exit status 1 if any trap was an "indirect call type mismatch", the kind that
adapt_signatures.py is to have removed; traps of other kinds (abort, a debugging function that crashes on purpose) are
listed only.
"""
import os
import sys
import threading
import time

from host import Image, Instance, note

STUCK_SECONDS = 60
CALLS_PER_INSTANCE = 20000      # a fresh one now and then: the calls leave the interpreter in a strange state

GUEST = r'''
import gc, io, itertools, sys, types
import _glovebox, json

START, COUNT, PREFIXES = %d, %d, %r
# These wait, end the process, crash on purpose, or loop for ever.
SKIP_NAMES = {'_exit', 'abort', 'sleep', 'pause', 'acquire', 'acquire_lock', '__enter__', 'wait', 'select', 'poll', 'get', 'join', 'input',
              'sigwait', '_sigsegv', '_sigabrt', '_sigfpe', '_fatal_error', '_fatal_error_c_thread', '_stack_overflow', '_read_null',
              'breakpoint', 'exit', 'quit', 'textdomain', 'release_lock', 'help', 'raise_signal', 'kill', 'killpg', '_clear_type_cache', '_clear_internal_caches',
              'rmtree', 'event', 'call', '__init__', '__setstate__', '__setstate_cython__', 'lock', '_shutdown', 'dump_traceback_later', 'set_trace', '_run_finalizers', 'fork'}
# Frees what it never set when its arguments are wrong, on every platform.
SKIP_TYPES = {'_ArrayFunctionDispatcher'}
SKIP_MODULES = {'_glovebox', 'faulthandler', '__main__', '_testinternalcapi', '_posixsubprocess', '_interpreters'}

def samples():
    """Instances that no constructor without arguments makes."""
    import numpy as np, pandas as pd, kiwisolver, datetime, zlib, re, csv, decimal, ast, hashlib, contextvars, operator, functools
    import matplotlib.ft2font, matplotlib.backends._backend_agg as agg, matplotlib.font_manager as fm, contourpy, matplotlib.tri
    import PIL.Image, PIL.ImageDraw, xml.etree.ElementTree as et, xml.parsers.expat, random, unicodedata
    yield from ([], (), {}, set(), frozenset(), '', b'', 1, 1.5, 1j, True, None, range(3), slice(1), object(), bytearray(b'x'), memoryview(b'x'),
                Exception(), ValueError('x'), iter([]), iter(()), iter({}), iter(''), iter(b''), {}.keys(), {}.values(), {}.items(),
                (i for i in ()), lambda: 0, types.SimpleNamespace(a=1), property(), super, type, zip(), map(str, []), filter(None, []), enumerate([]), reversed([]))
    x, y = kiwisolver.Variable('x'), kiwisolver.Variable('y')
    s = kiwisolver.Solver(); s.addConstraint((x + 2 * y == 3) | 'weak'); s.updateVariables()
    yield from (x, 2 * x, x + y, x >= 1, s, kiwisolver.strength)
    a = np.arange(6.).reshape(2, 3)
    yield from (a, a.dtype, a.flat, a.flags, np.nditer(a), np.broadcast(a, a), np.add, np.float64(1), np.int64(1), np.bool_(1), np.str_('a'), np.bytes_(b'a'),
                np.datetime64('2020'), np.timedelta64(1), np.complex128(1), np.void(b'a'), np.random.default_rng(1), np.random.RandomState(1),
                np.random.default_rng(1).bit_generator, np.random.SeedSequence(1), np.zeros(2, [('a', 'i4')]), np.zeros(2, [('a', 'i4')])[0],
                np.array(['a'], dtype=np.dtypes.StringDType()), np.float16(1), np.float32(1), np.longdouble(1), np.uint8(1), np.object_, np.vectorize(str), np.ndindex(2))
    df = pd.DataFrame({'k': list('aba'), 'v': [1, 2, 3]})
    yield from (pd.Timestamp('2020'), pd.Timedelta(1), pd.Period('2020'), pd.NaT, pd.NA, pd.Interval(0, 1), pd.offsets.Day(), pd.offsets.MonthEnd(),
                pd.offsets.BDay(), pd.Index([1])._engine, pd.Index(['a'])._engine, pd.MultiIndex.from_product([[1], [2]])._engine,
                pd.arrays.SparseArray([0, 1]).sp_index, df._mgr, df._mgr.blocks[0], df._mgr.blocks[0].mgr_locs, pd.IntervalIndex.from_breaks([0, 1, 2])._engine)
    font = matplotlib.ft2font.FT2Font(fm.findfont('DejaVu Sans')); font.set_text('a')
    yield from (font, font.load_char(65), agg.RendererAgg(8, 8, 72), contourpy.contour_generator(z=a), agg.RendererAgg(8, 8, 72).copy_from_bbox)
    t = matplotlib.tri.Triangulation([0, 1, 0], [0, 0, 1]); yield from (t.get_cpp_triangulation(), matplotlib.tri.TrapezoidMapTriFinder(t)._cpp_trifinder)
    im = PIL.Image.new('RGB', (4, 4)); d = PIL.ImageDraw.Draw(im)
    yield from (im.im, im.im.pixel_access(0), d.draw, PIL.Image.core.zip_encoder('RGB', 'RGB', 0, -1, -1, b''), PIL.Image.core.raw_decoder('RGB', 'RGB', 0, 1))
    yield from (datetime.datetime.now(), datetime.date.today(), datetime.time(), datetime.timedelta(1), datetime.timezone.utc, zlib.compressobj(), zlib.decompressobj(),
                re.compile('a'), re.match('a', 'a'), re.finditer('a', 'a'), re.compile('a').scanner('a'), csv.reader([]), csv.writer(io.StringIO()), decimal.Decimal(1), decimal.Context(), ast.parse('1'),
                hashlib.md5(), hashlib.sha1(), hashlib.sha256(), hashlib.sha512(), hashlib.sha3_256(), hashlib.shake_128(), hashlib.blake2b(), hashlib.blake2s(),
                contextvars.ContextVar('a'), contextvars.Context(), contextvars.ContextVar('b').set(1), operator.itemgetter(1), operator.attrgetter('a'),
                operator.methodcaller('a'), functools.partial(int), functools.lru_cache(lambda: 0), functools.cmp_to_key(int), et.Element('a'), et.XMLParser(), et.TreeBuilder(),
                xml.parsers.expat.ParserCreate(), random.Random(1), io.BytesIO(), io.StringIO(), sys.flags, sys._getframe(), (lambda: 0).__code__, sys.implementation)

def modules():
    for name in sorted(sys.builtin_module_names):
        if name not in SKIP_MODULES and (not PREFIXES or name.startswith(tuple(PREFIXES))):
            try:
                __import__(name)
            except BaseException:
                continue
            if name in sys.modules:
                yield name, sys.modules[name]

VARIANTS = ((), (None,), (1,), ('a', 2), (1, 2, 3), (b'x', None, 1, 2), {'key': 1})

def targets():
    known = {}
    for o in itertools.chain(samples(), gc.get_objects()):
        known.setdefault(type(o), o)
    seen = set()
    for name, module in modules():
        for key in sorted(vars(module), key=str):
            o = vars(module)[key]
            if isinstance(o, type):
                if o not in seen and key not in SKIP_TYPES:
                    seen.add(o)
                    yield from of_type(name, o, known)
            elif callable(o) and key not in SKIP_NAMES and not isinstance(o, types.FunctionType) and getattr(o, '__module__', name) in (name, None, name.split('.')[-1]):
                for v in VARIANTS:
                    yield '%%s.%%s%%s' %% (name, key, v), o, v
    for t in sorted(known, key=lambda t: (t.__module__ or '', t.__qualname__)):
        if t not in seen and t.__name__ not in SKIP_TYPES and not PREFIXES and not (t.__flags__ & 512):      # static types that no module names
            seen.add(t)
            yield from of_type('instances', t, known)

def of_type(name, t, known):
    instance = known.get(t)
    label = '%%s:%%s' %% (name, t.__name__)
    for v in VARIANTS:
        yield '%%s%%s' %% (label, v), t, v
    if instance is None and t not in known:
        for arguments in ((), (1,), ('a',), ([1],), (b'x',), (1, 2), ([1, 2], [1, 2])):
            try:
                instance = t(*arguments)
                break
            except BaseException:
                pass
        else:
            try:        # not for pybind11: without its constructor an object is no object
                instance = t if type(t).__name__ == 'pybind11_type' else t.__new__(t)
            except BaseException:
                instance = t
    for base in t.__mro__:
        for key in sorted(vars(base), key=str):
            o = vars(base)[key]
            if base is object and t is not object or key in SKIP_NAMES:
                continue
            where = '%%s.%%s' %% (label, key)
            if isinstance(o, types.GetSetDescriptorType):
                yield where + ' get', getattr, (instance, key)
                yield where + ' set', setattr, (instance, key, None)
                yield where + ' delete', delattr, (instance, key)
            elif callable(o) and not isinstance(o, types.FunctionType):
                for v in VARIANTS:
                    yield '%%s%%s' %% (where, v), o, v if isinstance(v, dict) or isinstance(o, type(len)) else (instance, *v)
    if t not in (itertools.count, itertools.cycle, itertools.repeat):
        yield label + ' protocols', protocols, (instance,)

def protocols(o):
    """Slots reached by syntax rather than by name."""
    import operator as op
    for f in (repr, str, hash, len, iter, next, bool, int, float, complex, list, abs, memoryview, bytes, op.neg, op.invert, op.index, reversed, dir, vars):
        try:
            f(o) if f is not next else next(iter(o))
        except BaseException:
            pass
    for f in (op.add, op.sub, op.mul, op.truediv, op.floordiv, op.mod, op.pow, op.matmul, op.lshift, op.and_, op.or_, op.xor, op.eq, op.lt, op.contains,
              op.getitem, op.delitem, op.iadd, op.imul, op.concat, divmod, isinstance):
        for a, b in ((o, o), (o, 1), (1, o), (o, None)):
            try:
                f(a, b)
            except BaseException:
                pass

class Sink:
    def write(self, text): return len(text)
    def flush(self): pass

def main():
    import os
    try:
        os.chdir('/tmp')
    except OSError:
        pass
    sys.stdout = sys.stderr = Sink()
    done = -1
    tell, dumps = _glovebox.event, json.dumps
    for i, (label, function, arguments) in enumerate(targets()):
        if i < START:
            continue
        if i >= START + COUNT:
            tell(dumps({'more': i}).encode())
            return
        tell(dumps({'at': i, 'label': label}).encode())
        try:
            if isinstance(arguments, dict):
                function(**arguments)
            else:
                function(*arguments)
        except BaseException:
            pass
    tell(dumps({'end': i + 1}).encode())
main()
'''


def watch(current):
    """Give up with the name of a call that does not come back, so that it can be added to SKIP_NAMES."""
    before, since = None, time.time()
    while True:
        time.sleep(2)
        events = current[0].events if current else []
        now = (id(current[0]) if current else 0, len(events))
        if now != before:
            before, since = now, time.time()
        elif time.time() - since > STUCK_SECONDS:
            note('stuck in %s' % (events[-1:] or 'the start'))
            os._exit(2)


def main():
    arguments, start = sys.argv[1:], 0
    if arguments[:1] == ['--from']:
        start = int(arguments[1])
        del arguments[:2]
    if not arguments:
        raise SystemExit(__doc__)
    image = Image(arguments[0])
    mismatches, others, current = [], [], []
    threading.Thread(target=watch, args=(current,), daemon=True).start()
    while True:
        source = GUEST % (start, CALLS_PER_INSTANCE, arguments[1:])
        with Instance(image, image.memory, stdout=os.devnull) as instance:
            current[:] = [instance]
            status, _, events = instance.turn({'source': source, 'echo': 'none'})
        last = events[-1] if events else {}
        if 'end' in last:
            break
        if 'more' in last:
            start = last['more']
            note('%d calls' % start)
            continue
        places = [e for e in events if 'at' in e]
        if not places:
            raise SystemExit('the probe itself failed: %s %s' % (status, events))
        place = places[-1]
        start = place['at'] + 1
        kind = 'mismatch' if 'type mismatch' in str(status) else 'other'
        (mismatches if kind == 'mismatch' else others).append(place['label'])
        print('%-9s %s%s' % (kind, place['label'], '' if kind == 'mismatch' else ': ' + str(status).strip().splitlines()[-1]), flush=True)
    print('%d calls, %d type mismatches, %d other traps' % (last['end'], len(mismatches), len(others)))
    raise SystemExit(1 if mismatches else 0)


if __name__ == '__main__':
    main()
