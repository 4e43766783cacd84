#!/usr/bin/env python3
"""Pack the Python files into one archive: python-lib.zip, and site/ for packages that are not part of the warm interpreter.

usage: mkzip.py TREE LIBRARY.tar [WHEEL|SDIST…]

Takes everything from TREE (a folder with the library and the packages), adds or replaces the packages in the wheels and source
archives, and puts in ../glovebox_guest and ../stand_ins. The zip gets the standard library, the guest side and IN_THE_ZIP, each
.py with its .pyc; site/ gets the rest, as real files, because many packages open data beside their modules. There a module is
its .pyc alone, in a third of the room: tracebacks give its line numbers without the lines.

The zip's entries are stored, not deflated: the archive is compressed as a whole, which finds what a .py and its .pyc have in
common and takes half the room of a zip whose entries are compressed one by one. An import has nothing to inflate, either.

Run it with any CPython of the guest's minor version: the .pyc files are unchecked-hash ones, so their bytes depend on the
source alone. So do the bytes of the result: names sorted, times fixed.
"""
import ast
import importlib.util
import io
import marshal
import os
import re
import sys
import tarfile
import zipfile
from email.parser import Parser

GUEST_VERSION = (3, 13)
MOUNTED_AT = '/py/python-lib.zip'           # shows in tracebacks
SITE_AT = '/py/site'
TIME, EPOCH = (2025, 1, 1, 0, 0, 0), 1735689600
IN_THE_ZIP = set('''numpy pandas matplotlib mpl_toolkits pylab seaborn PIL contourpy kiwisolver cycler dateutil pytz tzdata six pyparsing
packaging openpyxl et_xmlfile tabulate jinja2 markupsafe pillow python_dateutil
glovebox glovebox_guest IPython pip'''.split())
HERE = os.path.dirname(os.path.abspath(__file__))
OURS = ('glovebox_guest', 'stand_ins')      # folders beside recipe/; the second is unpacked at the top
SKIP = re.compile(r'''(^|/)(__pycache__|tests?|testsuite|benchmarks)/ | \.(pyi|pyx|pxd|pxi|h|c|cpp|so|a|typed|po)$
                      | ^([^/]*\.data|docs|site-packages)/ | ^isympy\.py$ | \.dist-info/(?!METADATA$|entry_points\.txt$|top_level\.txt$)''', re.X)
# Parts that nothing here uses, left out to keep the image small.
UNUSED = re.compile(r'''(fontTools/(afmLib|cu2qu|diff|fontBuilder|merge|mtiLib|qu2cu|t1Lib|tfmLib|ttx|ufoLib|voltLib)|numpy/(_core|random)/(include|lib|src|code_generators)
                        |numpy/_build_utils|numpy/_pyinstaller|numpy/fft/pocketfft|numpy/linalg/lapack_lite|matplotlib/(testing|sphinxext)
                        |PIL/ImageTk|narwhals/_(spark_like|duckdb|dask|ibis)|ctypes|venv|wsgiref|imaplib|mailbox|nntplib|smtplib|xmlrpc
                        |_pydecimal|_pydatetime|_pyio|bokeh/sphinxext|plotly/labextension|sympy/parsing/(autolev|latex/_antlr))(/|\.py)
                       |patsy/test_|plotly/package_data/widgetbundle\.js$|reportlab/fonts/.*\.(pfb|sfd)$|docx/templates/default-docx-template/
                       |bokeh/server/static/(js/(lib|types|compiler)|.*(?<!\.min)\.(m?js|map|ts|json)$|.*\.esm\.)''', re.X)


def read_wheel(path):
    with zipfile.ZipFile(path) as z:
        return {i.filename: z.read(i) for i in z.infolist() if not i.is_dir()}


def read_folder(folder):
    files = {}
    for directory, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, 'rb') as f:
                files[os.path.relpath(path, folder).replace(os.sep, '/')] = f.read()
    return files


def read_sdist(path):
    """The packages of a source archive whose Python files need no build, with its metadata as a wheel would hold it."""
    files, packages = {}, set()
    with tarfile.open(path) as archive:
        for entry in filter(tarfile.TarInfo.isfile, archive):
            name = entry.name.partition('/')[2]
            files[name] = archive.extractfile(entry).read()
            if name.count('/') == 1 and name.endswith('/__init__.py'):
                packages.add(name.partition('/')[0] + '/')
    folder = os.path.basename(path).removesuffix('.tar.gz') + '.dist-info'
    return {**{f: b for f, b in files.items() if f.startswith(tuple(packages))}, folder + '/METADATA': files['PKG-INFO']}


def without_package(files, metadata):
    """Drop the version of a package that a wheel replaces."""
    name = re.sub(r'[-_.]+', '-', Parser().parsestr(metadata.decode())['Name']).lower()
    old = [f for f in files if f.endswith('.dist-info/METADATA')
           and re.sub(r'[-_.]+', '-', f.split('/')[0].rsplit('-', 1)[0].removesuffix('.dist')).lower() == name]
    folders = {f.split('/')[0] + '/' for f in old}
    return {f: b for f, b in files.items() if not f.startswith(tuple(folders))} if folders else files


def headers(metadata):
    """A package's metadata without its description, which is a README of up to 150 KB."""
    return re.split(rb'\r?\n\r?\n', metadata, maxsplit=1)[0] + b'\n'


def compiled(source, path):
    code = compile(source, path, 'exec', dont_inherit=True, optimize=0)
    unchecked_hash = (0b01).to_bytes(4, 'little')
    return importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source) + marshal.dumps(code)


def in_the_zip(name):
    """Whether a file is part of python-lib.zip: by its package, or the package that its metadata is of."""
    top = name.partition('/')[0].removesuffix('.pyc').removesuffix('.py')
    return top in IN_THE_ZIP or top.split('-')[0].lower() in IN_THE_ZIP or top in sys.stdlib_module_names or top.startswith(('_sysconfigdata', '_pyrepl', '__phello__'))


def collect(tree, wheels):
    files = read_folder(tree)
    files = {f: b for f, b in files.items()
             if not (f.endswith('.pyc') and f[:-1] in files) and not f.startswith(('glovebox/', 'glovebox_guest/', 'IPython/', '_pyrepl/', 'rpds/', 'pip/')) and not UNUSED.match(f) and '.data/' not in f}
    for wheel in wheels:
        read = read_wheel if wheel.endswith('.whl') else read_sdist
        added = {f: b for f, b in read(wheel).items() if not SKIP.search(f) and not UNUSED.match(f)}
        metadata = next(b for f, b in added.items() if f.endswith('.dist-info/METADATA'))
        files = {**without_package(files, metadata), **added}
    parent = os.path.dirname(HERE)
    guest = read_folder(os.path.join(parent, 'glovebox_guest'))
    files.update({'glovebox_guest/' + f: b for f, b in guest.items() if f.endswith('.py')})
    files.update({f: b for f, b in read_folder(os.path.join(parent, 'stand_ins')).items() if f.endswith('.py')})
    return {f: headers(b) if f.endswith('.dist-info/METADATA') else b for f, b in files.items()}


def packed_zip(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as z:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIME)
            info.external_attr = 0o644 << 16
            z.writestr(info, files[name])
    return out.getvalue()


def pack(names, path):
    folders = {name[:i] for name in names for i, c in enumerate(name) if c == '/'}
    with tarfile.open(path, 'w', format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(folders | names.keys()):
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = EPOCH, 0o644
            if name in folders:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            else:
                info.size = len(names[name])
                archive.addfile(info, io.BytesIO(names[name]))


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    if sys.version_info[:2] != GUEST_VERSION:
        raise SystemExit('run this with Python %d.%d: it compiles for the guest' % GUEST_VERSION)
    if 'no_debug_ranges' not in sys._xoptions:     # no columns of each instruction: a third of a .pyc
        os.execv(sys.executable, [sys.executable, '-X', 'no_debug_ranges', *sys.argv])
    files = collect(sys.argv[1], sys.argv[3:])
    for name in [f for f in files if f.endswith('.py')]:
        zipped = in_the_zip(name)
        try:
            code = compiled(files[name], '%s/%s' % (MOUNTED_AT if zipped else SITE_AT, name))
        except SyntaxError as e:            # templates and samples that are no modules
            print('not compiled: %s: %s' % (name, e.msg))
            continue
        files[name + 'c'] = code
        if not zipped:
            del files[name]
    zipped = set(filter(in_the_zip, files))
    library = packed_zip({f: files[f] for f in zipped})
    pack({'python-lib.zip': library, **{'site/' + f: b for f, b in files.items() if f not in zipped}}, sys.argv[2])
    print('python-lib.zip: %d files, %d bytes; site: %d files; %s: %d bytes'
          % (len(zipped), len(library), len(files) - len(zipped), sys.argv[2], os.path.getsize(sys.argv[2])))


if __name__ == '__main__':
    main()
