#!/usr/bin/env python3
"""Pack the Python files into python-lib.zip: standard library, packages, the guest side, each .py with its .pyc.

usage: mkzip.py OLD.zip NEW.zip [WHEEL…]

Takes everything from OLD.zip (an earlier python-lib.zip, or a plain zip of the library that stage.py made), adds or
replaces the packages in the wheels, and puts in ../glovebox_guest and ../stand_ins. Run it with any CPython of the guest's minor
version: the .pyc files are unchecked-hash ones, so their bytes depend on the source alone. So do the bytes of the zip:
names sorted, times fixed.
"""
import importlib.util
import io
import marshal
import os
import re
import sys
import zipfile
from email.parser import Parser

GUEST_VERSION = (3, 13)
MOUNTED_AT = '/py/python-lib.zip'           # shows in tracebacks
TIME = (2025, 1, 1, 0, 0, 0)
HERE = os.path.dirname(os.path.abspath(__file__))
OURS = ('glovebox_guest', 'stand_ins')      # folders beside recipe/; the second is unpacked at the top
SKIP = re.compile(r'''(^|/)(__pycache__|tests?)/ | \.(pyi|pyx|pxd|pxi|h|c|cpp|so|a|typed)$
                      | \.dist-info/(?!METADATA$|entry_points\.txt$|top_level\.txt$)''', re.X)
# Parts that nothing here uses, left out to keep the image small.
UNUSED = re.compile(r'''(fontTools/(afmLib|cu2qu|diff|fontBuilder|merge|mtiLib|qu2cu|t1Lib|tfmLib|ttx|ufoLib|voltLib)|numpy/_core/include|numpy/_core/lib
                        |numpy/_build_utils|numpy/_pyinstaller|numpy/fft/pocketfft|numpy/linalg/lapack_lite|matplotlib/testing
                        |PIL/ImageTk|ctypes|venv|wsgiref|imaplib|mailbox|nntplib|smtplib|xmlrpc)(/|\.py)''', re.X)


def read_zip(path):
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


def without_package(files, metadata):
    """Drop the version of a package that a wheel replaces."""
    name = re.sub(r'[-_.]+', '-', Parser().parsestr(metadata.decode())['Name']).lower()
    old = [f for f in files if f.endswith('.dist-info/METADATA')
           and re.sub(r'[-_.]+', '-', f.split('/')[0].rsplit('-', 1)[0].removesuffix('.dist')).lower() == name]
    folders = {f.split('/')[0] + '/' for f in old}
    return {f: b for f, b in files.items() if not f.startswith(tuple(folders))} if folders else files


def compiled(source, path):
    code = compile(source, MOUNTED_AT + '/' + path, 'exec', dont_inherit=True, optimize=0)
    unchecked_hash = (0b01).to_bytes(4, 'little')
    return importlib.util.MAGIC_NUMBER + unchecked_hash + importlib.util.source_hash(source) + marshal.dumps(code)


def collect(old, wheels):
    files = {f: b for f, b in read_zip(old).items()
             if not f.endswith('.pyc') and not f.startswith(('glovebox/', 'glovebox_guest/', 'IPython/', '_pyrepl/')) and not UNUSED.match(f)}
    for wheel in wheels:
        added = {f: b for f, b in read_zip(wheel).items() if not SKIP.search(f)}
        metadata = next(b for f, b in added.items() if f.endswith('.dist-info/METADATA'))
        files = {**without_package(files, metadata), **added}
    parent = os.path.dirname(HERE)
    guest = read_folder(os.path.join(parent, 'glovebox_guest'))
    files.update({'glovebox_guest/' + f: b for f, b in guest.items() if f.endswith('.py')})
    files.update({f: b for f, b in read_folder(os.path.join(parent, 'stand_ins')).items() if f.endswith('.py')})
    return files


def pack(files, path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            z.writestr(info, files[name])
    with open(path, 'wb') as f:
        f.write(out.getvalue())


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    if sys.version_info[:2] != GUEST_VERSION:
        raise SystemExit('run this with Python %d.%d: it compiles for the guest' % GUEST_VERSION)
    files = collect(sys.argv[1], sys.argv[3:])
    for name in [f for f in files if f.endswith('.py')]:
        try:
            files[name + 'c'] = compiled(files[name], name)
        except SyntaxError as e:            # templates and samples that are no modules
            print('not compiled: %s: %s' % (name, e.msg))
    pack(files, sys.argv[2])
    print('%s: %d files, %d bytes' % (sys.argv[2], len(files), os.path.getsize(sys.argv[2])))


if __name__ == '__main__':
    main()
