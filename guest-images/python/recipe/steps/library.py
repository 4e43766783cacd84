"""The library: standard library, warm packages and the guest side as a zip, and the other packages, in one archive."""
import os
import re
import shutil

from driver.lock import Problem, sources
from driver.pack import pack

NEEDS = 'native packer cpython numpy matplotlib pillow pandas compression text xml parquet scipy sklearn statsmodels'.split()
# Packages that are taken as they are, nearly all as wheels: lock.toml says `Python files` of them.
WHEELS = sorted(key for key, source in sources().items() if source.use.startswith('Python files'))
SOURCES = ['cpython', *WHEELS]
FILES = ['recipe/mkzip.py', 'recipe/patches/_sysconfigdata__wasi_wasm32-wasi.py', 'glovebox_guest', 'stand_ins']
SKIP_FOLDERS = {'__pycache__', 'tests', 'test', 'idle_test', 'idlelib', 'turtledemo', 'tkinter', 'ensurepip', 'lib2to3', 'mpl-data',
                '_pyrepl', 'f2py', 'distutils', 'site-packages'}
SKIP_FILES = re.compile(r'\.(pyi|pyx|pxd|pxi|h|c|cpp|a|so|lib|in|build|exe|typed|pyc)$|(^|/)(turtle|pydoc_data/topics)\.py$')


def build(step):
    tree = os.path.join(step.work, 'tree')
    shutil.rmtree(tree, ignore_errors=True)
    gather(os.path.join(step.source('cpython'), 'Lib'), tree)
    for need in NEEDS:
        site = os.path.join(step.result(need), 'site')
        if os.path.isdir(site):
            gather(site, tree)
    refuse_folder(tree, step.root)
    shutil.copy(step.recipe('patches/_sysconfigdata__wasi_wasm32-wasi.py'), tree)
    wheels = [step.archive(key) for key in WHEELS]
    step.run([step.python, '-W', 'ignore', step.recipe('mkzip.py'), tree, f'{step.work}/library.tar', *wheels])
    pack(step, f'{step.work}/library.tar', f'{step.out}/library.tar.zst')



def refuse_folder(tree, name):
    """Raises if a file names the folder of this build: other folders would give other bytes."""
    for folder, _, names in os.walk(tree):
        for path in (os.path.join(folder, file) for file in names):
            with open(path, 'rb') as file:
                if name.encode() in file.read():
                    raise Problem(f'{path} names the folder of this build')


def gather(root, tree):
    """Copies the files beneath root that belong into the library."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIP_FOLDERS)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root)
            if not SKIP_FILES.search(path):
                to = os.path.join(tree, path)
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.copy(os.path.join(folder, name), to)
