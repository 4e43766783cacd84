"""Makes tests.zip and plugins.zip of the packages installed natively: `bundle.py SITE DIR`.

tests.zip holds the tests that numpy's and pandas' wheels carry; plugins.zip pytest and what it needs, byte-compiled.
"""
import marshal
import os
import sys
import zipfile
from importlib.util import MAGIC_NUMBER

TESTED = ("numpy", "pandas", "scipy", "sklearn")
# They need a Fortran compiler, a type checker, an installer.
LEFT_OUT = ("numpy/f2py/tests/", "numpy/typing/tests/", "numpy/_pyinstaller/")
PLUGINS = ("_hypothesis_globals.py", "py.py", "_pytest", "pytest", "pluggy", "iniconfig", "packaging", "pygments", "hypothesis", "sortedcontainers",
           "attr", "attrs")
EPOCH = (1980, 1, 1, 0, 0, 0)


def files(site, package):
    if package.endswith(".py"):
        yield os.path.join(site, package), package
        return
    for folder, folders, names in os.walk(os.path.join(site, package)):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            path = os.path.join(folder, name)
            yield path, os.path.relpath(path, site).replace(os.sep, "/")


def add(archive, name, data):
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def compiled(data, name):
    """An unchecked .pyc."""
    code = compile(data, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)


def main():
    site, target = sys.argv[1:]
    with zipfile.ZipFile(os.path.join(target, "tests.zip"), "w") as archive:
        for package in TESTED:
            for path, name in files(site, package):
                if name.startswith(LEFT_OUT):
                    continue
                if "/tests/" in name and not name.endswith((".so", ".pyc")) or name == package + "/conftest.py":
                    add(archive, name, read(path))
    with zipfile.ZipFile(os.path.join(target, "plugins.zip"), "w") as archive:
        for package in PLUGINS:
            for path, name in files(site, package):
                if name.endswith(".py"):
                    add(archive, name + "c", compiled(read(path), name))


main()
