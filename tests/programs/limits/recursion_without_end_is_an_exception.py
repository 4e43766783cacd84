"""Recursion in C code, between C and Python, and through arrays that hold themselves: each ends in an exception."""
import ast
import collections
import copy
import json
import pickle
import re
import sqlite3
import sys
import xml.parsers.expat

import numpy as np
import yaml
from lxml import etree

DEPTH = 20_000


def nested(wrap, value=None, depth=DEPTH):
    for _ in range(depth):
        value = wrap(value)
    return value


class Deep:
    """Each of its operations goes through a C function and comes back to itself."""
    def __repr__(self):
        return repr(collections.deque([Deep()]))

    def __add__(self, other):
        return np.array([Deep()], object) + 1

    def __float__(self):
        return float(np.array([Deep()], object).astype(float)[0])

    def __array__(self, *args, **kwargs):
        return np.array(Deep())

    def __reduce__(self):
        return list, ([Deep()],)


def parse(*_):
    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = parse
    parser.Parse('<a>')


def query(*_):
    return database.execute('SELECT again(1)').fetchone()[0]


def chain(items):
    yield from items


database = sqlite3.connect(':memory:')
database.create_function('again', 1, query)
again = np.frompyfunc(lambda x: again(x), 1, 1)
itself = np.empty(1, object)
itself[0] = itself
CASES = {
    'json': lambda: (json.loads('[' * 100_000)),
    'json.dumps': lambda: json.dumps(nested(lambda x: [x])),
    'pickle.dumps': lambda: pickle.dumps(nested(lambda x: [x])),
    'pickle.dumps of objects': lambda: pickle.dumps(Deep()),
    'marshal': lambda: __import__('marshal').loads(b'[\1\0\0\0' * 100_000),
    're': lambda: re.compile('(' * 10_000),
    'regex': lambda: __import__('regex').compile('(' * 10_000),
    'ast': lambda: ast.parse('(' * 5_000),
    'minus': lambda: ast.parse('-' * 100_000 + '1'),
    'compile': lambda: compile('a' + '.a' * 20_000, 'x', 'eval'),
    'lambda': lambda: compile('lambda: ' * 10_000 + '1', 'x', 'eval'),
    'repr of lists': lambda: repr(nested(lambda x: [x])),
    'repr of deques': lambda: repr(nested(lambda x: collections.deque([x]))),
    'repr of dicts': lambda: repr(nested(lambda x: collections.defaultdict(int, a=x))),
    'repr of objects': lambda: repr(Deep()),
    'compare': lambda: nested(lambda x: (x,)) < nested(lambda x: (x,)),
    'copy': lambda: copy.deepcopy(nested(lambda x: [x])),
    'toml': lambda: __import__('tomllib').loads('a=' + '[' * 100_000),
    'yaml': lambda: yaml.load('[' * 50_000 + ']' * 50_000, yaml.CSafeLoader),
    'lxml': lambda: etree.fromstring('<a>' * 100_000),
    'numpy calls Python': lambda: again(np.arange(3)),
    'numpy adds': lambda: Deep() + 1,
    'numpy converts': lambda: float(Deep()),
    'numpy asks for an array': lambda: np.array(Deep()),
    'an array in itself': lambda: itself + 1,
    'expat': parse,
    'sqlite': query,
    'generators': lambda: next(nested(chain, iter([1]))),
}
# Those that are between C and Python are stopped by the count of C calls alone, when Python's own is out of the way.
BETWEEN = ('pickle.dumps of objects', 'repr of objects', 'numpy calls Python', 'numpy adds', 'numpy converts', 'numpy asks for an array',
           'an array in itself', 'expat', 'sqlite')
for limit, names in ((sys.getrecursionlimit(), CASES), (10**9, BETWEEN)):
    for name in names:
        sys.setrecursionlimit(limit)
        try:
            CASES[name]()
            print(name, 'returned')
        except (RecursionError, MemoryError, ValueError, SyntaxError, sqlite3.Error, etree.XMLSyntaxError):
            pass
        sys.setrecursionlimit(1000)
hash(nested(lambda x: list[x], int))
print('whole')
