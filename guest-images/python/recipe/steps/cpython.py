"""CPython as an archive, and its headers."""
import os
import shutil

from driver.lock import Problem
from driver.step import JOBS

NEEDS = ['toolchain', 'native', 'zlib']
SOURCES = ['cpython']
ARCHIVES = ['libpython3.13.a', 'Modules/_hacl/libHacl_Hash_SHA2.a', 'Modules/_decimal/libmpdec/libmpdec.a', 'Modules/expat/libexpat.a']
VPATH = '''-DVPATH='"$(VPATH)"' '''


def build(step):
    source, zlib = step.source('cpython'), step.result('zlib')
    tree = os.path.join(step.work, 'tree')
    os.makedirs(tree, exist_ok=True)
    environment = {
        'CC': 'wcc', 'CXX': 'w++', 'AR': 'war', 'RANLIB': 'wranlib', 'HOSTRUNNER': 'true', 'PKG_CONFIG_PATH': '',
        'PKG_CONFIG_LIBDIR': '/nonexistent', 'ZLIB_CFLAGS': f'-I{zlib}/include', 'ZLIB_LIBS': f'-L{zlib}/lib -lz',
        'CONFIG_SITE': f'{source}/Tools/wasm/config.site-wasm32-wasi', 'PYTHONPATH': '',
    }
    if not os.path.exists(f'{tree}/Makefile'):
        step.run([f'{source}/configure', '--host=wasm32-unknown-wasip1', '--build=x86_64-pc-linux-gnu',
                  f'--with-build-python={step.python}', '--prefix=/usr/local', '--disable-test-modules', '--without-ensurepip',
                  'OPT=-O3 -g0 -DNDEBUG', 'CFLAGS='], cwd=tree, **environment)
    # Where the sources lie is of no use to the guest and would make its bytes those of one folder.
    makefile = f'{tree}/Makefile'
    with open(makefile) as file:
        rules = file.read()
    if VPATH in rules:
        with open(makefile, 'w') as file:
            file.write(rules.replace(VPATH, '''-DVPATH='""' '''))
    try:
        step.run(['make', '-k', f'-j{JOBS}', 'python.wasm'], cwd=tree, **environment)
    except Problem:
        # Its own link fails for want of the C library's missing functions; the archives are what is wanted.
        pass
    os.makedirs(f'{step.out}/lib')
    for archive in ARCHIVES:
        if not os.path.getsize(os.path.join(tree, archive)):
            raise Problem(f'{archive} was not built; see {step.log}')
        shutil.copy(os.path.join(tree, archive), f'{step.out}/lib')
    include = f'{step.out}/include/python3.13'
    shutil.copytree(f'{source}/Include', include)
    shutil.copy(f'{tree}/pyconfig.h', include)
