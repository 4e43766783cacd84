"""The side that runs the sample: executes its program, then does what the judge asks of it.

Nothing here needs protection. Whatever the sample does to its own interpreter, it can only answer with data; the judge
compares them where the sample has no hand.
"""
import itertools
import linecache
import operator
import os
import sys
import types

import _glovebox_wire as wire

FILES = 8                       # files that are handed to the judge
FILE_BYTES = 1 << 20
__glovebox__ = True
_failure = None


def prepare():
    """Read from standard input what all samples of a problem share: imports of its prompt, and a set-up of its own."""
    import json
    global _failure
    with open(0, 'rb', closefd=False) as file:
        request = json.loads(file.read())
    for line in request.get('imports') or ():
        try:
            exec(line, {})
        except BaseException:       # the sample, which has the same line, will say so
            pass
    if request.get('setup'):
        try:
            exec(compile(request['setup'], 'setup.py', 'exec', dont_inherit=True), _module().__dict__)
        except BaseException as e:
            _failure = e


def serve():
    """Answer the judge until it has heard enough."""
    message = wire.exchange(['ready'])
    while message[0] != 'end':
        message = wire.exchange(_answer(message))


def _answer(message):
    try:
        operation, *parts = message
        if operation == 'exec':
            return ['ok', _execute(*parts)]
        return _operate(operation, *parts)
    except (wire.Gone, MemoryError, KeyboardInterrupt):
        raise
    except BaseException as e:
        return ['raised', wire.describe(e)]


def _execute(source, filename, environment, wanted):
    """Run a program in a module of its own, or in given variables; tell its names, or the wanted values and new files."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    if environment is None:
        if _failure is not None:
            raise _failure
        variables = _module().__dict__
    else:
        variables = {k: wire.decode(v) for k, v in environment}
    before = _files()
    exec(compile(source, filename, 'exec', dont_inherit=True), variables)
    if environment is None:
        number = wire._reference(variables)['o']
        return [number, sorted(name for name in variables if type(name) is str and not name.startswith('__'))]
    values = [[name, wire.encode(variables[name])] for name in wanted if name in variables]
    return [values, _new_files(before)]


def _module():
    """The module that samples are, as `import solution` finds it."""
    if 'solution' not in sys.modules:
        sys.modules['solution'] = types.ModuleType('solution')
    return sys.modules['solution']


def _files():
    return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir('.') if entry.is_file(follow_symlinks=False)}


def _new_files(before):
    new = sorted(name for name, time in _files().items() if before.get(name) != time)
    contents = []
    for name in new[:FILES]:
        with open(name, 'rb') as file:
            data = file.read(FILE_BYTES + 1)
        if len(data) <= FILE_BYTES:
            contents.append([name, wire.encode(data)])
    return contents


def _operate(operation, number, sent, named):
    args, kwargs = [_ours(a) for a in sent], {k: _ours(v) for k, v in named}
    value = wire._objects[number] if number is not None else None
    result = _operations[operation](value, *args, **kwargs)
    told = wire.encode(result)
    if operation != 'call':
        return ['ok', told]
    after = [[place, new] for place, new in ((i, wire.changed(a, b)) for i, (a, b) in enumerate(zip(args, sent))) if new is not None]
    return ['ok', told, after] if after else ['ok', told]


def _ours(sent):
    """An argument; a function of the judge becomes one that calls it back."""
    value = wire.decode(sent)
    if type(value) is wire.Remote:
        number = object.__getattribute__(value, '_number')
        return lambda *args, **kwargs: _call_back(number, args, kwargs)
    return value


def _call_back(number, args, kwargs):
    answer = wire.exchange(['callback', number, [wire.encode(a) for a in args], [[k, wire.encode(v)] for k, v in kwargs.items()]])
    while answer[0] not in ('ok', 'raised'):
        answer = wire.exchange(_answer(answer))
    if answer[0] == 'raised':
        raise wire.revive(answer[1])
    return wire.decode(answer[1])


def _module_attribute(_, module, name):
    __import__(module)
    return getattr(sys.modules[module], name)


_operations = {
    'call': lambda value, *args, **kwargs: value(*args, **kwargs),
    'getattr': getattr,
    'setattr': setattr,
    'getitem': operator.getitem,
    'setitem': operator.setitem,
    'iter': lambda value: itertools.chain(iter(value)),     # an iterator of ours, so that it stays here
    'next': next,
    'len': len,
    'bool': bool,
    'enter': lambda value: value.__enter__(),
    'exit': lambda value: value.__exit__(None, None, None),
    'eq': lambda a, b: bool(a == b),
    'lt': lambda a, b: bool(a < b),
    'le': lambda a, b: bool(a <= b),
    'add': operator.add,
    'sub': operator.sub,
    'mul': operator.mul,
    'repr': repr,
    'str': str,
    'isinstance': lambda kind, value: isinstance(value, kind),
    'attribute': _module_attribute,
}
