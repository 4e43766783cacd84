"""Values between two interpreters, as JSON: data crosses, everything else stays where it is and is used from afar.

Both sides of a trial load this: the subject, which runs the sample, and the judge, which runs the tests. What arrives is rebuilt
from builtin types alone, so that a value of the sample can neither compare itself nor run code on the judge's side.
"""
import base64
import builtins
import collections
import datetime
import decimal
import fractions
import json

import _glovebox

SMALL = 1 << 62
LONGEST = 4 << 20               # bytes of a message that the host carries
TEXT = 4000                     # characters of a traceback that are told
__glovebox__ = True
_objects = []                   # what the other side may refer to
_numbers = {}                   # id of each, to its place
_dumps = json.JSONEncoder(check_circular=False).encode
_loads = json.JSONDecoder().decode


class Gone(BaseException):
    """The other side has ended."""


class SampleError(Exception):
    """An exception of the sample that has no counterpart here."""


def exchange(message):
    """Hand a message over and wait for the next one."""
    text = _dumps(message)
    if len(text) > LONGEST:
        error = ValueError('a value of %d KiB is too large to be handed over' % (len(text) >> 10))
        if message[0] != 'ok':
            raise error
        text = _dumps(['raised', describe(error)])
    answer = _loads(str(_glovebox.call(text.encode()), 'ascii'))
    if answer[0] == 'gone':
        raise Gone
    return answer


def encode(value):
    """A value as JSON: plain data as itself, the rest as {kind: parts}."""
    kind = type(value)
    if value is None or kind is bool or kind is str or kind is float:
        return value
    if kind is int:
        return value if -SMALL < value < SMALL else {'i': hex(value)}
    if kind is list:
        return [encode(v) for v in value]
    encoder = _encoders.get(kind)
    if encoder:
        return encoder(value)
    return _foreign(value)


def _foreign(value):
    """A subclass of a data type as that type, arrays and tables as their contents, anything else as a reference."""
    if isinstance(value, type):
        return _class(value)
    if isinstance(value, BaseException):
        return {'e': describe(value)}
    for science in _science:
        parts = science(value)
        if parts is not None:
            return parts
    if type(value).__module__ != 'builtins' and not isinstance(value, Remote):
        for base, encoder in _bases:
            if isinstance(value, base):
                return encoder(value)
    return _reference(value)


def _reference(value):
    if isinstance(value, Remote):
        return {'own': object.__getattribute__(value, '_number')}
    if id(value) not in _numbers:
        _numbers[id(value)] = len(_objects)
        _objects.append(value)
    return {'o': _numbers[id(value)]}


def _class(value):
    if getattr(builtins, value.__name__, None) is value:
        return {'ty': value.__name__}
    if issubclass(value, BaseException):
        return {'ex': [_reference(value)['o'], value.__name__, _builtin_base(value)]}
    return _reference(value)


def _builtin_base(kind):
    return next((c.__name__ for c in kind.__mro__ if getattr(builtins, c.__name__, None) is c), 'Exception')


def describe(error):
    """An exception as data: its class, its arguments where they are data, and its traceback."""
    import traceback
    kind = type(error)
    try:
        text = str(error)
    except BaseException:
        text = ''
    try:
        lines = traceback.format_exception(kind, error, _beyond_us(error.__traceback__))
    except BaseException:
        lines = [kind.__name__]
    args = [a if type(a) in (str, int, float, bool, type(None)) else None for a in error.args] if type(error.args) is tuple else []
    plain = len(args) < 6 and not any(a is None and b is not None for a, b in zip(args, error.args))
    return {'name': str(kind.__name__), 'class': _class(kind), 'text': ''.join((text, ''))[:TEXT],
            'args': [encode(a) for a in args] if plain else None, 'trace': ''.join(lines)[-TEXT:]}


def _beyond_us(trace):
    while trace is not None and trace.tb_frame.f_globals.get('__glovebox__') is True:
        trace = trace.tb_next
    return trace


def revive(told):
    """An exception that the other side described, to be raised here. It remembers that it is not ours."""
    kind = decode(told['class'])
    try:
        args = [told['text']] if told['args'] is None else [decode(a) for a in told['args']]
        error = kind(*args) if isinstance(kind, type) and issubclass(kind, BaseException) else SampleError(told['text'])
    except BaseException:
        error = SampleError(told['text'])
    try:
        error.from_afar = told
    except AttributeError:
        pass
    return error


def decode(value):
    """The value that was encoded. Only builtin constructors, and those of numpy and pandas, are called."""
    kind = type(value)
    if kind is list:
        return [decode(v) for v in value]
    if kind is dict:
        (name, parts), = value.items()
        return _decoders[name](parts)
    return value


def _pairs(value):
    return [[encode(k), encode(v)] for k, v in dict.items(value)]


def _bytes(text):
    return base64.b64decode(text, validate=True)


def _own(number):
    return _objects[number]


def _error_class(parts):
    number, name, base = parts
    key = 'class', number
    if key not in _remotes:
        kind = getattr(builtins, base, Exception)
        _remotes[key] = type(str(name), (kind if isinstance(kind, type) and issubclass(kind, BaseException) else Exception,), {})
    return _remotes[key]


def _builtin_type(name):
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type):
        raise ValueError('no such type: %r' % name)
    return kind


_encoders = {
    tuple: lambda v: {'t': [encode(x) for x in tuple.__iter__(v)]},
    dict: lambda v: {'d': _pairs(v)},
    set: lambda v: {'s': [encode(x) for x in set.__iter__(v)]},
    frozenset: lambda v: {'f': [encode(x) for x in frozenset.__iter__(v)]},
    bytes: lambda v: {'b': base64.b64encode(v).decode()},
    bytearray: lambda v: {'ba': base64.b64encode(v).decode()},
    complex: lambda v: {'c': [v.real, v.imag]},
    range: lambda v: {'r': [encode(v.start), encode(v.stop), encode(v.step)]},
    slice: lambda v: {'sl': [encode(v.start), encode(v.stop), encode(v.step)]},
    type(...): lambda v: {'...': 0},
    type(NotImplemented): lambda v: {'ni': 0},
    collections.OrderedDict: lambda v: {'od': _pairs(v)},
    collections.Counter: lambda v: {'cn': _pairs(v)},
    collections.defaultdict: lambda v: {'d': _pairs(v)},
    collections.deque: lambda v: {'q': [[encode(x) for x in v], v.maxlen]},
    type({}.keys()): lambda v: {'dk': [encode(x) for x in v]},
    type({}.values()): lambda v: {'dv': [encode(x) for x in v]},
    type({}.items()): lambda v: {'di': [[encode(k), encode(x)] for k, x in v]},
    decimal.Decimal: lambda v: {'D': str(v)},
    fractions.Fraction: lambda v: {'F': [encode(v.numerator), encode(v.denominator)]},
    datetime.date: lambda v: {'da': v.isoformat()},
    datetime.datetime: lambda v: {'dt': v.isoformat()} if v.tzinfo is None or type(v.tzinfo) is datetime.timezone else _reference(v),
    datetime.time: lambda v: {'tm': v.isoformat()} if v.tzinfo is None else _reference(v),
    datetime.timedelta: lambda v: {'td': [v.days, v.seconds, v.microseconds]},
}
# What a subclass counts as, more special ones first.
_bases = [(k, _encoders[k]) for k in (collections.OrderedDict, collections.Counter, tuple, dict, set, frozenset, bytes, bytearray)]
_bases += [(list, lambda v: [encode(x) for x in list.__iter__(v)]), (int, lambda v: encode(int.__add__(v, 0))),
           (float, lambda v: float.__add__(v, 0.0)), (str, lambda v: str.__str__(v) if type(str.__str__(v)) is str else ''.join((v, '')))]
_decoders = {
    'i': lambda p: int(p, 16),
    't': lambda p: tuple([decode(x) for x in p]),
    'd': lambda p: {decode(k): decode(v) for k, v in p},
    's': lambda p: {decode(x) for x in p},
    'f': lambda p: frozenset([decode(x) for x in p]),
    'b': _bytes,
    'ba': lambda p: bytearray(_bytes(p)),
    'c': lambda p: complex(float(p[0]), float(p[1])),
    'r': lambda p: range(*[decode(x) for x in p]),
    'sl': lambda p: slice(*[decode(x) for x in p]),
    '...': lambda p: ...,
    'ni': lambda p: NotImplemented,
    'od': lambda p: collections.OrderedDict((decode(k), decode(v)) for k, v in p),
    'cn': lambda p: collections.Counter({decode(k): decode(v) for k, v in p}),
    'q': lambda p: collections.deque([decode(x) for x in p[0]], p[1]),
    'dk': lambda p: dict.fromkeys([decode(x) for x in p]).keys(),
    'dv': lambda p: dict(enumerate([decode(x) for x in p])).values(),
    'di': lambda p: {decode(k): decode(x) for k, x in p}.items(),
    'D': lambda p: decimal.Decimal(p),
    'F': lambda p: fractions.Fraction(decode(p[0]), decode(p[1])),
    'da': datetime.date.fromisoformat,
    'dt': datetime.datetime.fromisoformat,
    'tm': datetime.time.fromisoformat,
    'td': lambda p: datetime.timedelta(*p),
    'e': revive,
    'ex': _error_class,
    'ty': _builtin_type,
    'o': lambda number: remote(number),
    'own': _own,
}
_science = []                   # encoders of numpy's and pandas' types, added by science.py
_remotes = {}


def changed(value, before):
    """What has become of a value that was decoded from `before`; None if nothing has. Only containers change."""
    if type(before) is dict and next(iter(before)) in ('i', 'o', 'own', 'b', 'c', 'D', 'F') or type(before) not in (dict, list):
        return None
    after = encode(value)
    return None if after == before else after


def amend(value, after):
    """Give a container of ours the contents that the other side's copy has now."""
    new = decode(after)
    if isinstance(value, (list, bytearray)):
        value[:] = new
    elif isinstance(value, (dict, set)):
        value.clear()
        value.update(new)
    elif isinstance(value, collections.deque):
        value.clear()
        value.extend(new)
    elif isinstance(value, tuple) and isinstance(new, tuple):
        for ours, parts in zip(value, after['t']):
            if isinstance(parts, (dict, list)):
                amend(ours, parts)
    elif hasattr(value, 'dtype') and getattr(value, 'shape', None) == getattr(new, 'shape', 0) and hasattr(value, 'flags'):
        value[...] = new
    elif hasattr(value, '_update_inplace'):
        value._update_inplace(new)


def converse(message):
    """Ask the other side for something; answer what it asks meanwhile."""
    answer = exchange(message)
    while answer[0] == 'callback':
        answer = exchange(_called_back(answer))
    if answer[0] == 'raised':
        raise revive(answer[1])
    return answer


def _called_back(message):
    _, number, args, kwargs = message
    try:
        return ['ok', encode(_callable(number)(*decode(args), **{k: decode(v) for k, v in kwargs}))]
    except Gone:
        raise
    except Exception as e:
        return ['raised', describe(e)]


def _callable(number):
    """Only functions that were handed over may be called."""
    value = _objects[number]
    if not callable(value):
        raise TypeError('%r is not callable' % type(value).__name__)
    return value


def ask(operation, number, *args, **kwargs):
    """An operation on an object of the other side. Arguments that it changes are changed here, too."""
    sent = [encode(a) for a in args]
    answer = converse([operation, number, sent, [[k, encode(v)] for k, v in kwargs.items()]])
    try:
        for place, after in (answer[2] if len(answer) > 2 else ()):
            amend(args[place], after)
        return decode(answer[1])
    except Gone:
        raise
    except Exception as e:
        raise SampleError('its answer makes no sense: %s: %s' % (type(e).__name__, e)) from None


class Remote:
    """An object of the other side. It equals nothing but objects of that side."""
    __slots__ = ('_number', '__weakref__')

    def __init__(self, number):
        object.__setattr__(self, '_number', number)

    def __call__(self, *args, **kwargs):
        return ask('call', self._number, *args, **kwargs)

    def __getattr__(self, name):
        if name.startswith('__') and name not in ('__name__', '__doc__'):
            raise AttributeError(name)
        return ask('getattr', self._number, name)

    def __setattr__(self, name, value):
        ask('setattr', self._number, name, value)

    def __getitem__(self, key):
        return ask('getitem', self._number, key)

    def __setitem__(self, key, value):
        ask('setitem', self._number, key, value)

    def __iter__(self):
        return ask('iter', self._number)

    def __next__(self):
        return ask('next', self._number)

    def __len__(self):
        return int(ask('len', self._number))

    def __bool__(self):
        return ask('bool', self._number) is True

    def __enter__(self):
        return ask('enter', self._number)

    def __exit__(self, *_):
        ask('exit', self._number)

    def __contains__(self, value):
        return any(value == item for item in iter(self))

    def __eq__(self, other):
        return ask('eq', self._number, other) is True if isinstance(other, Remote) else NotImplemented

    def __lt__(self, other):
        return ask('lt', self._number, other) is True if isinstance(other, Remote) else NotImplemented

    def __le__(self, other):
        return ask('le', self._number, other) is True if isinstance(other, Remote) else NotImplemented

    def __add__(self, other):
        return ask('add', self._number, other) if isinstance(other, Remote) else NotImplemented

    def __sub__(self, other):
        return ask('sub', self._number, other) if isinstance(other, Remote) else NotImplemented

    def __mul__(self, other):
        return ask('mul', self._number, other) if isinstance(other, Remote) else NotImplemented

    def __hash__(self):
        return hash(self._number)

    def __repr__(self):
        return str(ask('repr', self._number))

    def __str__(self):
        return str(ask('str', self._number))

    def __instancecheck__(self, value):
        return isinstance(value, Remote) and ask('isinstance', self._number, value) is True


def remote(number):
    """The one stand-in of an object of the other side."""
    if number not in _remotes:
        _remotes[number] = Remote(number)
    return _remotes[number]
