#!/usr/bin/env python3
"""Gather the Python files of a full build into one plain zip, which mkzip.py turns into python-lib.zip.

usage: stage.py SOURCES NATIVE LIBRARY.zip MPL_DATA.tar

SOURCES holds the unpacked, patched sources; NATIVE is the site-packages of a native installation of the same versions,
from which the files come that a package's own build would have written.
"""
import io
import os
import re
import sys
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TIME = 1735689600               # 2025-01-01
SKIP_FOLDERS = {'__pycache__', 'tests', 'test', 'idle_test', 'idlelib', 'turtledemo', 'tkinter', 'ensurepip', 'lib2to3', 'mpl-data',
                '_pyrepl', 'f2py', 'distutils', 'site-packages'}
SKIP_FILES = re.compile(r'\.(pyi|pyx|pxd|pxi|h|c|cpp|a|so|lib|in|build|exe|typed|pyc)$|(^|/)(turtle|pydoc_data/topics)\.py$')
# Folder of the packages beneath each source, and the files that its own build generates.
PACKAGES = {
    'numpy': ('', ('version.py', '__config__.py')),
    'pandas': ('', ('_version_meson.py',)),
    'matplotlib': ('lib', ('_version.py',)),
    'pillow': ('src', ()),
    'contourpy': ('lib', ()),
    'kiwisolver': ('py', ('_version.py',)),
}
TOP_LEVEL = {'numpy': ['numpy'], 'pandas': ['pandas'], 'matplotlib': ['matplotlib', 'mpl_toolkits', 'pylab.py'], 'pillow': ['PIL'],
             'contourpy': ['contourpy'], 'kiwisolver': ['kiwisolver']}
# path in the zip: (text of the original, its replacement); each must be there once
EDITS = {
    'matplotlib/__init__.py': ('return str(Path(__file__).with_name("mpl-data"))', 'return "/py/mpl-data"'),
}


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def tree(root, prefix=''):
    """Files beneath root (or root itself) that belong into the library, as {name: content}."""
    if os.path.isfile(root):
        return {prefix: read(root)}
    files = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in SKIP_FOLDERS]
        for name in names:
            inside = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')
            path = '/'.join(filter(None, (prefix, inside)))
            if not SKIP_FILES.search(path):
                files[path] = read(os.path.join(folder, name))
    return files


def source_of(sources, package):
    found = [f for f in os.listdir(sources) if re.match(re.escape(package) + r'-\d', f, re.I)]
    if len(found) != 1:
        raise SystemExit('expected one unpacked source of %s, found %s' % (package, found))
    return os.path.join(sources, found[0])


def library(sources, native):
    files = tree(os.path.join(source_of(sources, 'Python'), 'Lib'))
    for package, (folder, generated) in PACKAGES.items():
        source = source_of(sources, package)
        for top in TOP_LEVEL[package]:
            files.update(tree(os.path.join(source, folder, top), top))
        for name in generated:
            path = '%s/%s' % (TOP_LEVEL[package][0], name)
            if path not in files:
                files[path] = read(os.path.join(native, path))
        version = os.path.basename(source).rsplit('-', 1)[1]
        metadata = 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' % (package, version)
        files['%s-%s.dist-info/METADATA' % (package, version)] = metadata.encode()
    files.setdefault('mpl_toolkits/__init__.py', b'')       # zipimport finds no namespace packages
    files['_sysconfigdata__wasi_wasm32-wasi.py'] = read(os.path.join(HERE, 'patches/_sysconfigdata__wasi_wasm32-wasi.py'))
    for path, (old, new) in EDITS.items():
        text = files[path].decode()
        if text.count(old) != 1:
            raise SystemExit('%s does not hold the text to edit once' % path)
        files[path] = text.replace(old, new).encode()
    return files


def mpl_data(sources):
    def clean(entry):
        entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = TIME, 0, 0, '', ''
        return None if 'sample_data' in entry.name.split('/') else entry
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as tar:
        tar.add(os.path.join(source_of(sources, 'matplotlib'), 'lib/matplotlib/mpl-data'), 'mpl-data', filter=clean)
    return out.getvalue()


def main(sources, native, out, tar):
    with zipfile.ZipFile(out, 'w') as z:
        for name, content in sorted(library(sources, native).items()):
            z.writestr(zipfile.ZipInfo(name, (2025, 1, 1, 0, 0, 0)), content)
    with open(tar, 'wb') as f:
        f.write(mpl_data(sources))


if __name__ == '__main__':
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
