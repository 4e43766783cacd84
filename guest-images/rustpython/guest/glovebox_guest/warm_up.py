"""Runs once, before the memory is copied: imports, stand-ins for the platform, first use of slow paths."""
import gc
import io
import json
import os
import sys
import traceback

from . import display, platform, turns

MODULES = '''abc argparse array ast asyncio base64 binascii bisect calendar cmath codecs collections collections.abc
concurrent.futures configparser contextlib copy csv dataclasses datetime decimal difflib encodings.ascii encodings.latin_1
encodings.utf_8_sig enum errno fractions functools glob gzip hashlib heapq hmac html html.parser inspect io itertools json
keyword linecache locale logging math numbers operator os pathlib pickle platform pprint queue random re secrets shutil signal
statistics string struct tempfile textwrap threading time timeit tokenize traceback types typing unicodedata urllib.parse uuid
warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo'''.split()

# The same steps a script takes: a last expression, a class, a file, an error. What they load or cache is then in the image.
FIRST_SCRIPT = '''
import csv, datetime, io, json, math, os, pathlib, random, re, statistics, tempfile
class Shown:
    def _repr_html_(self): return '<b>1</b>'
print('', end='')
datetime.datetime.strptime('2024-07-01', '%Y-%m-%d')
json.loads(json.dumps({'a': [1, 2.5, None, 'x']}, indent=1))
list(csv.DictReader(io.StringIO('a,b\\n1,2\\n')))
re.findall(r'\\w+', 'one two'), datetime.datetime.now().isoformat(), statistics.mean([1, 2]), f'{math.pi:.2f}'
'''


def warm_up():
    for name in MODULES:
        __import__(name)
    platform.install()
    sys.path[:] = ['']
    _first_script()
    os.environ.clear()
    turns.new_main()
    _check_open_files()
    gc.freeze()


def _first_script():
    """Takes a turn of every kind, without the host hearing of it."""
    if turns._run(FIRST_SCRIPT, '<warm-up>', 'none'):
        raise RuntimeError('the first script failed')
    exec('1 / 1', {})
    json.dumps(display.bundle(sys.modules['__main__'].Shown()))
    try:
        json.loads('{')
    except ValueError as e:
        ''.join(traceback.format_exception(e))
    turns.linecache.clearcache()


def _check_open_files():
    gc.collect()
    left = [o for o in gc.get_objects() if isinstance(o, io.FileIO) and not o.closed and o.fileno() > 2]
    if left:
        raise RuntimeError('files left open in the warm state: %r' % left)
