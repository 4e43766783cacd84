"""One turn: run a script in __main__ and return its exit status."""
import __future__
import ast
import builtins
import json
import linecache
import os
import sys
import traceback
import types

import _glovebox

from . import display

_FUTURE = 0
for _name in __future__.all_feature_names:
    _FUTURE |= getattr(__future__, _name).compiler_flag

_KEEP = 50          # frames shown of either end of a long traceback; formatting all of them is slow
_OURS = (lambda: 0).__code__.co_filename
_first = True       # becomes False in the memory of a session after its first turn
_count = 0


def turn(request):
    """request: UTF-8 JSON {source, filename, argv, env, cwd, seed, echo, fresh}; all but source are optional.
    Never raises; returns the exit status 0..255."""
    global _count
    _count += 1
    try:
        req = json.loads(request)
        source = req['source']
        if not isinstance(source, str):
            raise TypeError('source must be a string')
        filename = req.get('filename') or '<turn %d>' % _count
        _prepare(req)
    except BaseException as e:      # a bad request: no script has run
        return _report(e, None)
    try:
        return _run(source, filename, req.get('echo', 'last'))
    finally:
        _flush()


def _prepare(req):
    """What the request says of the script's surroundings; on a first turn, also what the memory image froze."""
    global _first
    first = _first or req.get('fresh', False)
    env, argv, cwd, seed = req.get('env'), req.get('argv'), req.get('cwd'), req.get('seed')
    if first:
        _first = False
        os.environ.clear()
        os.environ.update(_glovebox.environ())
        sys.argv = ['']
        if '' not in sys.path:
            sys.path.insert(0, '')
        tempfile = sys.modules.get('tempfile')
        if tempfile:
            tempfile.tempdir = tempfile._name_sequence = None
    if env:
        os.environ.update({str(k): str(v) for k, v in env.items()})
    if argv is not None:
        sys.argv = [str(a) for a in argv]
    if cwd:
        os.chdir(cwd)
    if first or seed is not None:
        sys.modules['random'].seed(seed)
    for finder in sys.path_importer_cache.values():     # the script or the host may have written new modules
        if hasattr(finder, 'invalidate_caches'):
            finder.invalidate_caches()


def new_main():
    """The module that scripts run in, empty."""
    main = types.ModuleType('__main__')
    main.__dict__.update(__builtins__=builtins, __glovebox__=True)
    sys.modules['__main__'] = main
    return main


def _run(source, filename, echo):
    main = sys.modules.get('__main__')
    if not getattr(main, '__glovebox__', False):
        main = new_main()
    names = main.__dict__
    if not filename.startswith('<'):
        names['__file__'] = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    try:
        tree = ast.parse(source, filename)
        last = None
        if echo == 'last' and tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        body = compile(tree, filename, 'exec', dont_inherit=True)
        if last is not None:
            last = compile(last, filename, 'eval', body.co_flags & _FUTURE, dont_inherit=True)
        exec(body, names)
        if last is not None:
            sys.displayhook(eval(last, names))
        return 0
    except BaseException as e:
        return _report(e, filename)


def _flush():
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.flush()
        except BaseException:
            pass


def _report(e, filename):
    """Exit status of an exception; prints its traceback, without our own frames, and sends an error event."""
    if isinstance(e, SystemExit):
        return _exit_status(e.code)
    e.__traceback__ = _script_frames(e, filename)
    try:
        text = ''.join(traceback.format_exception(type(e), e, e.__traceback__))
    except BaseException:
        text = '%s (the traceback could not be formatted)\n' % type(e).__name__
    try:
        value = str(e)
    except BaseException:
        value = ''
    _flush()
    try:
        sys.stderr.write(text)
    except BaseException:
        sys.__stderr__.write(text)
    event = {'type': 'error', 'name': type(e).__name__, 'value': value, 'traceback': text}
    _glovebox.event(json.dumps(event).encode())
    sys.last_exc = e
    return 130 if isinstance(e, KeyboardInterrupt) else 1


def _exit_status(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 255
    _flush()
    print(code, file=sys.stderr)
    return 1


def _script_frames(e, filename):
    """The traceback from the script's first frame on; none for an error in its syntax, which has no frame of the script."""
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename == _OURS:
        tb = tb.tb_next
    if filename is not None and isinstance(e, SyntaxError):
        inside = tb
        while inside is not None and inside.tb_frame.f_code.co_filename != filename:
            inside = inside.tb_next
        if inside is None:
            return None
    frames, last = [], tb
    while last is not None:
        frames.append(last)
        last = last.tb_next
    if len(frames) > 2 * _KEEP:
        frames[_KEEP - 1].tb_next = frames[-_KEEP]
    return tb


sys.displayhook = display.displayhook
builtins.display = display.display
