"""One turn: run a piece of user source in __main__, show what it leaves, return an exit status."""
import __future__
import ast
import asyncio
import builtins
import inspect
import io
import json
import linecache
import os
import sys
import traceback
import types
from importlib.machinery import FileFinder
from itertools import islice

import _glovebox

from . import _display, _events, _figures, _hints, _notebook

DEFAULT_FILENAME = 'main.py'
_HERE = os.path.dirname(__file__) + '/'
_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag

builtins.display = _display.display
_first = True                           # becomes False in the memory of a session after its first turn
_builtins = builtins.__dict__
_pristine_builtins = dict(_builtins)
_core_modules = {name: sys.modules[name] for name in ('sys', 'builtins', 'io', 'os', 'json', 'ast', 'traceback', 'asyncio', __package__)}
_warm_modules = {}
_warm_importers = 0
# Given back when memory runs out, so that there is enough to say so.
RESERVE_BYTES = 2 * 1024 * 1024
_reserve = None
_library = [sys.path[0], os.path.join(os.path.dirname(sys.path[0]), 'site')]


def turn(request):
    """Run a request, UTF-8 JSON {source, filename, argv, env, cwd, seed, echo, figures, fresh}; all but source optional.

    Never raises; returns the exit status: 0, 1 for an uncaught exception, the code of sys.exit(), 130 for KeyboardInterrupt.
    """
    _restore()
    _keep_reserve()
    try:
        request = json.loads(request)
        source = request['source']
        filename = request.get('filename') or DEFAULT_FILENAME
        _prepare(request)
    except BaseException as e:          # a bad request: no user code has run
        return _report(e)
    try:
        status = _run(source, filename, request.get('echo', 'last'))
    except BaseException as e:          # user code has damaged what we stand on
        _restore()
        status = _report(e)
    _restore(end=True)
    try:
        _figures.show_forgotten()
    except BaseException:
        pass
    _events.flush()
    return status


def _keep_reserve():
    global _reserve
    if _reserve is None:
        try:
            _reserve = bytearray(RESERVE_BYTES)
        except MemoryError:
            pass


def _restore(end=False):
    """Undo what user code may have done to the ground that turns stand on. It needs no builtin function itself.

    At the end of a turn the user's sys.stdout is flushed before it is put aside."""
    if not _pristine_builtins.items() <= _builtins.items():
        _builtins.update(_pristine_builtins)
    if not _core_modules.items() <= sys.modules.items():
        sys.modules.update(_warm_modules)       # all of them: numpy cannot be imported a second time
    if end:
        _events.flush()
    for name, descriptor in (('stdin', 0), ('stdout', 1), ('stderr', 2)):
        stream = getattr(sys, '__%s__' % name, None)
        if not isinstance(stream, io.TextIOWrapper) or stream.closed:
            stream = open(descriptor, 'w' if descriptor else 'r', encoding='utf-8', closefd=False,
                          errors='backslashreplace' if descriptor == 2 else 'surrogateescape')
            setattr(sys, '__%s__' % name, stream)
        if descriptor and not stream.line_buffering:    # what was printed before a limit ends the turn must not be lost
            stream.reconfigure(line_buffering=True)
        setattr(sys, name, stream)
    sys.displayhook, sys.excepthook = sys.__displayhook__, sys.__excepthook__
    sys.settrace(None)
    sys.setprofile(None)
    if sys.getrecursionlimit() < 1000:
        sys.setrecursionlimit(1000)
    if not isinstance(sys.path, list):
        sys.path = ['']
    for folder in _library:
        if folder not in sys.path:
            sys.path.append(folder)


def _prepare(request):
    global _first
    first = _first or request.get('fresh', False)
    if first:
        _first = False
        os.environ.clear()
        os.environ.update(_glovebox.environ())
        if '' not in sys.path:
            sys.path.insert(0, '')
        sys.argv = ['']
        if 'tempfile' in sys.modules:
            sys.modules['tempfile']._name_sequence = None
            sys.modules['tempfile'].tempdir = None
    if request.get('env'):
        os.environ.update({str(k): str(v) for k, v in request['env'].items()})
    if request.get('argv') is not None:
        sys.argv = [str(a) for a in request['argv']]
    if request.get('cwd'):
        os.chdir(request['cwd'])
    if first or request.get('seed') is not None:
        reseed(request.get('seed'))
    _figures.formats = tuple(request.get('figures') or ('png',))
    _find_new_files()


def _find_new_files():
    """Let modules that were written to the workspace since the last turn be found.

    Only importers younger than the memory image are looked at: touching each of the library's would copy their pages,
    and the zip's would read its directory again."""
    importers = sys.path_importer_cache
    for finder in islice(reversed(importers.values()), max(0, len(importers) - _warm_importers)):
        if isinstance(finder, FileFinder):
            finder.invalidate_caches()


def reseed(seed=None):
    """random and numpy.random from a given number, or from the host's entropy."""
    random, numpy = sys.modules.get('random'), sys.modules.get('numpy')
    if random:
        random.seed(seed)
    if numpy:       # numpy.random.seed() without argument costs 10 ms, with a list of numbers 0.1 ms
        numpy.random.seed(int.from_bytes(os.urandom(4), 'little') if seed is None else seed & 0xffffffff)


def forget_user_code():
    """A new, empty __main__, as before the first turn; what is loaded now is what every run starts with."""
    global _first, _warm_importers
    _first = True
    for path in [path for path, finder in sys.path_importer_cache.items() if isinstance(finder, FileFinder)]:
        del sys.path_importer_cache[path]
    _warm_importers = len(sys.path_importer_cache)
    builtins.__dict__.pop('_', None)
    sys.modules.pop('__main__', None)
    linecache.cache.pop(DEFAULT_FILENAME, None)
    _main()
    _warm_modules.update(sys.modules)
    del _warm_modules['__main__']


def _main():
    module = sys.modules.get('__main__')
    if module is None or getattr(module, '__glovebox__', False) is not True:
        module = types.ModuleType('__main__')
        module.__dict__.update(__builtins__=builtins, __glovebox__=True)
        sys.modules['__main__'] = module
    module.__dict__.setdefault('__builtins__', builtins)
    return module.__dict__


def _run(source, filename, echo):
    namespace = _main()
    if not filename.startswith('<'):
        namespace['__file__'] = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    try:
        tree = _notebook.parse(source, filename)
        last = _last_expression(tree, source) if echo == 'last' else None
        body = compile(tree, filename, 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        if last is not None:
            last = compile(last, filename, 'eval', body.co_flags & _FUTURE | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        _execute(body, namespace)
        if last is not None:
            value = _execute(last, namespace)
            if value is not None:
                builtins._ = value
                _display.show(value, main=True)
        return 0
    except BaseException as e:
        _restore()
        return _report(e)


def _last_expression(tree, source):
    """Take a final expression off the tree; a semicolon behind it means that its value is not wanted."""
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(';'):
        return ast.Expression(tree.body.pop().value)


def _execute(code, namespace):
    value = eval(code, namespace)
    if code.co_flags & inspect.CO_COROUTINE:        # a top-level await, as notebooks allow it
        return asyncio.run(value)
    return value


def _report(e):
    """Print the traceback of an exception, send an error event, return the exit status."""
    global _reserve
    _reserve = None
    if isinstance(e, SystemExit):
        return _exit_status(e.code)
    try:
        _hints.annotate(e)
        text = ''.join(_clean(traceback.TracebackException(type(e), e, e.__traceback__, compact=True)).format())
    except BaseException:
        text = '%s (the traceback could not be formatted)\n' % type(e).__name__
    try:
        value = ''.join((str(e), ''))
    except BaseException:
        value = ''
    _events.flush()
    try:
        sys.stderr.write(text)
        _events.send({'type': 'error', 'name': type(e).__name__, 'value': value, 'traceback': text})
    except BaseException:
        pass
    sys.last_exc = e
    return 130 if isinstance(e, KeyboardInterrupt) else 1


def _exit_status(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 255
    _events.flush()
    try:
        print(code, file=sys.stderr)
    except BaseException:
        pass
    return 1


def _clean(error):
    """A TracebackException without frames of ours and of the importer, all along its chain."""
    frames = [f for f in error.stack if not f.filename.startswith((_HERE, '<frozen zipimport>', '<frozen importlib'))]
    error.stack = traceback.StackSummary.from_list(frames) if frames else None
    for other in (error.__cause__, error.__context__, *(error.exceptions or ())):
        if other is not None:
            _clean(other)
    return error
