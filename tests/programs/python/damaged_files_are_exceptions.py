"""Files with damaged bytes go to every decoder: each answers or raises, and none ends the run."""
import bz2
import contextlib
import gzip
import io
import json
import lzma
import pickle
import random
import sqlite3
import warnings
import zipfile
import zlib

import brotli
import lxml.etree
import lxml.html
import lz4.frame
import numpy as np
import pandas as pd
import regex
import yaml
import zstandard
from PIL import Image, ImageFile

warnings.simplefilter('ignore')
ImageFile.LOAD_TRUNCATED_IMAGES = True
EXTREMES = [b'\0\0\0\0', b'\xff\xff\xff\xff', b'\x7f\xff\xff\xff', b'\xff\xff\xff\x7f', b'\x80\0\0\0', b'((((', b'\\', b'"', b'<', b'9' * 20]


def written(write):
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def from_path(data, read):
    with open('/tmp/damaged', 'wb') as file:
        file.write(data)
    return read('/tmp/damaged')


def picture(data):
    image = Image.open(io.BytesIO(data))
    if image.width * image.height < 10**6:
        image.load()
        image.convert('RGB').resize((5, 5))


def query(path):
    database = sqlite3.connect(path)
    try:
        for statement in ('PRAGMA integrity_check', 'SELECT * FROM t WHERE a > 3', 'DELETE FROM t WHERE a < 9', 'VACUUM'):
            database.execute(statement).fetchall()
    finally:
        database.close()


class Values(pickle.Unpickler):
    """What stands for a value; a damaged name must not become a call that ends the process."""
    def find_class(self, module, name):
        if module.split('.')[0] not in ('numpy', 'pandas') and name not in ('slice', 'getattr'):
            raise pickle.UnpicklingError(name)
        return super().find_class(module, name)


noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (20, 30, 3), dtype=np.uint8))
frame = pd.DataFrame({'a': range(20), 'b': np.linspace(0, 1, 20), 'c': list('abcdefghijklmnopqrst'), 'd': pd.Categorical(list('ab') * 10)})
with sqlite3.connect('/tmp/good.db') as database:
    frame[['a', 'b', 'c']].to_sql('t', database, index=False)
database.close()
frame.drop(columns='d').to_parquet('/tmp/good.parquet')
text = b'hello world ' * 100
FILES = {**{kind: (written(lambda file: noise.save(file, kind)), picture) for kind in ('PNG', 'JPEG', 'WEBP', 'GIF', 'TIFF', 'BMP', 'ICO', 'TGA', 'PCX')},
         'xlsx': (written(lambda file: frame.to_excel(file)), lambda data: pd.read_excel(io.BytesIO(data))),
         'parquet': (open('/tmp/good.parquet', 'rb').read(), lambda data: from_path(data, pd.read_parquet)),
         'sqlite': (open('/tmp/good.db', 'rb').read(), lambda data: from_path(data, query)),
         'pickle': (pickle.dumps(frame), lambda data: repr(Values(io.BytesIO(data)).load())),
         'npy': (written(lambda file: np.save(file, np.arange(9.).reshape(3, 3))), lambda data: repr(np.load(io.BytesIO(data)))),
         'csv': (frame.to_csv().encode(), lambda data: pd.read_csv(io.BytesIO(data))),
         'json': (frame.to_json().encode(), lambda data: (pd.read_json(io.BytesIO(data)), json.loads(data))),
         'xml': (b'<!DOCTYPE a [<!ENTITY e "v">]><a x="y"><b>&e;</b><![CDATA[ x ]]></a>', lambda data: lxml.etree.tostring(lxml.etree.fromstring(data))),
         'html': (frame.to_html().encode(), lambda data: lxml.html.tostring(lxml.html.fromstring(data))),
         'yaml': (b'a: &x [1, {b: "c"}]\nd: *x\n', lambda data: yaml.load(data, yaml.CSafeLoader)),
         'regex': (rb'(?i)(?P<n>a+?|[^c-x\d]{2,5})(?=z)(?(n)q|r)\b', lambda data: regex.compile(data.decode('latin1'))),
         'zip': (written(lambda file: zipfile.ZipFile(file, 'w').writestr('a', text)), lambda data: zipfile.ZipFile(io.BytesIO(data)).read('a')),
         'gz': (gzip.compress(text), gzip.decompress), 'zlib': (zlib.compress(text), zlib.decompress), 'bz2': (bz2.compress(text), bz2.decompress),
         'xz': (lzma.compress(text), lzma.decompress), 'lz4': (lz4.frame.compress(text), lz4.frame.decompress),
         'br': (brotli.compress(text), brotli.decompress),
         'zst': (zstandard.compress(text), lambda data: zstandard.ZstdDecompressor().decompress(data, max_output_size=10**6))}
chance = random.Random(5)
kinds, cases, failed = sorted(FILES), 330, 0
for case in range(cases):
    good, decode = FILES[kinds[case % len(kinds)]]
    data = bytearray(good)
    for _ in range(chance.choice((1, 2, 5))):
        at, way = chance.randrange(len(data) or 1), chance.randrange(5)
        if way == 0:
            data[at:at + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            extreme = chance.choice(EXTREMES)
            data[at:at + len(extreme)] = extreme
        elif way == 2:
            del data[at:at + chance.choice((1, 4, 50))]
        elif way == 3:
            start = chance.randrange(len(good))
            data[at:at] = good[start:start + 20]
        else:
            del data[max(at, len(data) // 2):]
    try:
        with contextlib.redirect_stdout(io.StringIO()):     # fastparquet prints what it finds
            decode(bytes(data))
    except Exception:
        failed += 1
assert cases / 4 < failed < cases, failed


# Cases that ended the run once.
def short_list():
    np.empty(3, object).__setstate__((1, (300,), np.dtype('O'), False, [1]))


def unknown_category():
    values = pd.Categorical(['a', 'b'])
    values.__setstate__((values.dtype, np.array([0, 127] * 500, 'i1'), {}))
    repr(values)


def rows_that_cannot_be_written():
    for width in range(24, 60):
        image = Image.new('RGB', (width, 31))
        try:
            image.save(io.BytesIO(), 'TIFF', compression='lzma')
            return
        except OSError:
            pass
        for kind in ('PNG', 'ICO', 'TIFF'):
            image.save(io.BytesIO(), kind)
    raise OSError


for case in (short_list, unknown_category, rows_that_cannot_be_written):
    try:
        case()
        print(case.__name__, 'returned')
    except (ValueError, OSError):
        pass
print('whole')
