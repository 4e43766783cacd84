"""Runs once, before the memory image is taken: platform stand-ins, heavy imports, first use of slow paths.

What is imported and used here is there at once in every run; what is not costs each run its import again.
"""
import gc
import io
import json
import os
import shutil
import sys

from . import _ctypes, _fonts, _mmap, _platform, _processes

STDLIB = '''abc argparse array ast asyncio base64 binascii bisect calendar cmath codecs collections collections.abc
concurrent.futures configparser contextlib copy csv dataclasses datetime decimal difflib encodings.ascii encodings.cp1252
encodings.idna encodings.latin_1 encodings.utf_16 encodings.utf_8_sig enum errno fractions functools getpass glob gzip hashlib
heapq hmac html html.parser importlib.metadata importlib.resources inspect io itertools json keyword linecache locale logging
math mimetypes numbers operator os pathlib pickle platform pprint queue random re secrets shlex shutil signal statistics string
struct tempfile textwrap threading time timeit tokenize traceback types typing unicodedata urllib.parse urllib.request uuid
warnings weakref xml.etree.ElementTree zipfile zlib zoneinfo _strptime bz2 lzma sqlite3'''.split()

# Run as turns through the same code as the user's, so that this path is warm too.
FIRST_USES = ['''
import numpy as np, pandas as pd, io, datetime as dt
df = pd.DataFrame({'k': ['a', 'b', 'a'], 'n': [1, 2, 3], 'x': [1.5, 2.5, None],
                   'd': pd.to_datetime(['2020-01-01', '2020-01-02', '2020-01-03'])})
df.groupby('k')['n'].agg(['sum', 'mean']).reset_index().merge(df, on='k').sort_values('n')
df.groupby('k', as_index=False).agg(total=('n', 'sum')); df['k'].value_counts(); df.isna().sum(); df.describe(); df.info(buf=io.StringIO())
df.pivot_table(index='k', values='n'); df.set_index('d').resample('D').sum(numeric_only=True); df['d'].dt.strftime('%B %Y')
df.to_csv('/tmp/w.csv', index=False); pd.read_csv('/tmp/w.csv', parse_dates=['d']); df.to_json(); df.to_html(); df.to_markdown()
df.to_excel('/tmp/w.xlsx', index=False); pd.read_excel('/tmp/w.xlsx'); df.style.format(precision=1).to_html()
df.to_parquet('/tmp/w.parquet'); pd.read_parquet('/tmp/w.parquet')
import sqlite3; pd.read_sql_query('select 1 as a', sqlite3.connect(':memory:'))
pd.to_datetime(['3 Feb 2021', 'March 4, 2021'], format='mixed'); dt.datetime.strptime('2021-02-03', '%Y-%m-%d').strftime('%A')
df[['n', 'x']].corr(); np.linalg.inv(np.eye(2)); np.random.default_rng(1).normal(size=3)
df
''', '''
import matplotlib.pyplot as plt, seaborn as sns, matplotlib.dates
fig, (ax, bx) = plt.subplots(1, 2, constrained_layout=True)
ax.plot(df['d'], df['n'], label='a'); ax.set_title('t'); ax.legend(); ax.grid(); ax.tick_params(axis='x', rotation=45)
df.groupby('k')['n'].sum().plot(kind='bar', ax=bx); bx.set_xlabel('Größe')
plt.savefig('/tmp/w.png'); plt.show()
fig, ax = plt.subplots(); ax.scatter([1, 2], [3, 4]); ax.boxplot([1, 2, 3]); ax.hist([1, 2, 2]); plt.tight_layout(); plt.show()
fig, ax = plt.subplots(); ax.pie([1, 2], labels=['a', 'b'], autopct='%d%%'); plt.show()
sns.set_theme(); sns.barplot(data=df, x='k', y='n', hue='k', errorbar=None); plt.show()
sns.heatmap(df[['n', 'x']].corr(), annot=True)
''', '''
plt.rcdefaults(); plt.switch_backend('agg')
from PIL import Image, ImageDraw, ImageFont, ImageFilter
image = Image.new('RGB', (8, 8), 'red'); ImageDraw.Draw(image).text((0, 0), 'a', font=ImageFont.load_default())
for kind in ('PNG', 'GIF', 'BMP', 'JPEG', 'WEBP', 'TIFF'):
    file = io.BytesIO(); image.save(file, kind); Image.open(io.BytesIO(file.getvalue())).resize((4, 4)).convert('L').load()
image
''', 'undefined_name', '(1,\n 2', 'print(1)']


def warm():
    _site()
    _mmap.install()
    _platform.no_ctypes()
    for name in STDLIB:
        __import__(name)
    _platform.inline_threads()
    _platform.user_and_network()
    _platform.duplicates_of_files()
    _processes.install()
    _platform.asyncio_loop()
    _platform.metadata_from_zip()
    _platform.drop_undefined()
    import numpy
    import numpy.ctypeslib, numpy.fft, numpy.linalg, numpy.polynomial, numpy.random
    _ctypes.install()
    _time_zones()
    import pandas
    _matplotlib()
    import seaborn
    import openpyxl, tabulate, jinja2, fastparquet, yaml
    import IPython.display
    import glovebox.media
    _first_uses()
    os.environ.clear()
    sys.path_importer_cache.pop('/tmp', None)
    _check_open_files()


def _site():
    """The packages that lie beside the library as real files."""
    folder = os.path.join(os.path.dirname(sys.path[0]), 'site')
    if os.path.isdir(folder) and folder not in sys.path:
        sys.path.append(folder)


def _first_uses():
    """Run FIRST_USES unheard, and leave /tmp as it was."""
    from . import _events, _turn
    before = set(os.listdir('/tmp'))
    streams = sys.__stdout__, sys.__stderr__
    sys.__stdout__, sys.__stderr__ = (io.TextIOWrapper(io.BytesIO(), encoding='utf-8') for _ in streams)
    _events.mute(True)
    try:
        for source in FIRST_USES:
            status = _turn.turn(json.dumps({'source': source, 'figures': ['png', 'svg']}))
            if status and source in FIRST_USES[:3]:
                sys.__stderr__.seek(0)
                raise RuntimeError('the warm-up could not run\n%s' % sys.__stderr__.read())
    finally:
        _events.mute(False)
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr = streams
        for name in set(os.listdir('/tmp')) - before:
            path = '/tmp/' + name
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    _turn.forget_user_code()
    sys.last_exc = None


def _time_zones():
    """Time zone files straight from the zip's importer: importlib.resources reads the zip's directory again each time."""
    import zoneinfo._common
    import pytz
    import tzdata
    importer, base = tzdata.__loader__, os.path.dirname(tzdata.__file__)
    if not hasattr(importer, '_get_files'):
        return

    def load(key):
        if '..' in key.split('/') or key.startswith('/'):
            raise ValueError('Bad time zone name: %r' % key)
        try:
            return io.BytesIO(importer.get_data('%s/zoneinfo/%s' % (base, key)))
        except OSError:
            raise zoneinfo._common.ZoneInfoNotFoundError('No time zone found with key ' + key) from None

    def open_resource(name):
        path = '%s/zoneinfo/%s' % (os.path.dirname(pytz.__file__), name.lstrip('/'))
        return io.BytesIO(pytz.__loader__.get_data(path))

    def resource_exists(name):
        return 'pytz/zoneinfo/' + name.lstrip('/') in files
    files = {k for k in importer._get_files() if k.startswith('pytz/zoneinfo/')}
    zoneinfo._common.load_tzdata = load
    pytz.open_resource, pytz.resource_exists = open_resource, resource_exists
    pytz.timezone('Europe/Paris'), zoneinfo.ZoneInfo('Europe/Paris')


def _matplotlib():
    import threading
    os.environ['MPLBACKEND'] = 'agg'
    os.environ['MPLCONFIGDIR'] = '/tmp/matplotlib'
    threading.Timer.start = lambda self: None     # a warning timer of the font search
    try:
        import matplotlib
        import matplotlib.font_manager as fm
    finally:
        del threading.Timer.start
    _fonts_in_memory(fm)
    _fonts.install(fm)
    matplotlib.use('agg')
    import matplotlib.pyplot, matplotlib.backends.backend_svg, mpl_toolkits.mplot3d
    from . import _figures
    _figures.install()
    import PIL.Image
    PIL.Image.init()


def _fonts_in_memory(fm):
    """Fonts are read once and kept as bytes: no file stays open, and drawing text opens none."""
    import builtins
    import types
    from matplotlib import ft2font
    cache = {}

    class NamedBytesIO(io.BytesIO):
        pass

    def font_open_named(path, *args):
        b = NamedBytesIO(font_open_bytes(path))
        b.name = path
        return b

    def font_open_bytes(path):
        if path not in cache:
            with builtins.open(path, 'rb') as f:
                cache[path] = f.read()
        return cache[path]

    def FT2Font(path, *args, **kw):
        saved, io.open = io.open, font_open_named
        try:
            return ft2font.FT2Font(path, *args, **kw)
        finally:
            io.open = saved

    proxy = types.ModuleType('ft2font')
    proxy.__dict__.update(ft2font.__dict__)
    proxy.FT2Font = FT2Font
    fm.ft2font = proxy
    import matplotlib
    ttf = os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf')
    for name in ('DejaVuSans.ttf', 'DejaVuSans-Bold.ttf', 'DejaVuSans-Oblique.ttf', 'DejaVuSansMono.ttf', 'DejaVuSansDisplay.ttf'):
        if os.path.exists(os.path.join(ttf, name)):
            font_open_bytes(os.path.join(ttf, name))


def _check_open_files():
    gc.collect()
    left = [o for o in gc.get_objects() if isinstance(o, io.FileIO) and not o.closed and o.fileno() > 2]
    if left:
        raise RuntimeError('files left open in the warm state: %r' % left)
