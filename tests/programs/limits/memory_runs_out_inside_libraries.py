"""Memory that is not there is a MemoryError from each library, also where sizes are beyond 32 bits; Python goes on behind it."""
import gc
import io
import sqlite3
import warnings
import zlib

import lxml.etree
import numpy as np
import pandas as pd
import zstandard
from PIL import Image

warnings.simplefilter('ignore')
Image.MAX_IMAGE_PIXELS = None
equal = pd.DataFrame({'k': np.zeros(65_536, int), 'v': 1})      # 2**32 rows when joined with itself


def bomb(compressor, decompress):
    decompress(b''.join(compressor.compress(bytes(1_000_000)) for _ in range(600)) + compressor.flush())


def figure(inches):
    import matplotlib.pyplot as plt
    _, axes = plt.subplots(figsize=(inches, inches))
    try:
        axes.figure.savefig('/tmp/large.png', dpi=100)
    finally:
        plt.close('all')


def tables():
    database = sqlite3.connect(':memory:')
    database.execute('CREATE TABLE t (a)')
    while True:
        database.execute('INSERT INTO t VALUES (zeroblob(1000000))')


def tree():
    root = lxml.etree.Element('a')
    while True:
        lxml.etree.SubElement(root, 'b').text = 'x' * 1_000_000


def doubled(value):
    while True:
        value = value + value


CASES = {
    'numpy': lambda: np.ones(10**9), 'numpy 2**32': lambda: np.empty(2**32 + 5, 'i1'), 'numpy 2**60': lambda: np.arange(2**58),
    'repeat': lambda: np.repeat(np.arange(3), 2**33), 'outer': lambda: np.outer(np.ones(2**16), np.ones(2**16)),
    'svd': lambda: np.linalg.svd(np.ones((5000, 5000))), 'fft': lambda: np.fft.fft(np.ones(2 * 10**7)),
    'merge': lambda: equal.merge(equal, on='k'), 'left': lambda: equal.merge(equal, on='k', how='left'),
    'outer join': lambda: equal.merge(equal, on='k', how='outer'), 'cross': lambda: equal.merge(equal, how='cross'),
    'concat': lambda: pd.concat([pd.DataFrame(np.ones((10**5, 10)))] * 100), 'unstack': lambda: pd.Series(1, pd.MultiIndex.from_arrays([np.arange(65_536)] * 2)).unstack(),
    'dummies': lambda: pd.get_dummies(pd.Series(range(65_536))), 'product': lambda: pd.MultiIndex.from_product([np.arange(65_536)] * 2),
    'dates': lambda: pd.date_range('1700', '2200', freq='ms'),
    'Pillow': lambda: Image.new('RGB', (30_000, 30_000)), 'Pillow 2**32': lambda: Image.new('RGBA', (32_768, 32_768)),
    'resize': lambda: Image.new('RGB', (10, 10)).resize((40_000, 40_000)), 'figure': lambda: figure(400), 'figure 2**32': lambda: figure(327.68),
    'sqlite': tables, 'lxml': tree,
    'zlib': lambda: bomb(zlib.compressobj(1), zlib.decompress),
    'zstd': lambda: bomb(zstandard.ZstdCompressor().compressobj(), zstandard.ZstdDecompressor().decompressobj().decompress),
    'text': lambda: doubled('x'), 'bytes': lambda: doubled(b'x'), 'list': lambda: doubled([1]), 'range': lambda: list(range(10**9)),
    'file': lambda: io.BytesIO().write(bytes(10**9)),
}
for name, case in CASES.items():
    try:
        case()
        print(name, 'returned')
    except (MemoryError, OverflowError):
        pass
    gc.collect()
    assert np.arange(1000).sum() == 499_500 and len(bytes(10**7)) == 10**7, name
print('whole')
