"""BLAS: OpenBLAS with its kernels for WebAssembly's SIMD, one thread, without its own part of LAPACK."""
import os
import shutil

from driver.step import JOBS

NEEDS = ['toolchain', 'native']
SOURCES = ['openblas']
OPTIONS = ['TARGET=WASM128_GENERIC', 'NOFORTRAN=1', 'NO_LAPACK=1', 'USE_THREAD=0', 'NUM_THREADS=1', 'NO_SHARED=1', 'NO_AFFINITY=1',
           'BUILD_BFLOAT16=0', 'CC=wcc', 'HOSTCC=cc', 'AR=war', 'RANLIB=wranlib', 'CFLAGS=-w -DOS_EMBEDDED']
# Fortran's functions, of which f2c's library has its own with other types.
FORTRANS = ('c_abs.o', 'z_abs.o')


def build(step):
    tree = os.path.join(step.work, 'tree')
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(step.source('openblas'), tree, symlinks=True)
    # Its makefiles ask by MAKE_NB_JOBS, not by -j, how many may run.
    step.run(['make', 'libs', f'MAKE_NB_JOBS={JOBS}', *OPTIONS], cwd=tree)
    objects = []
    for folder, _, names in os.walk(tree):
        if os.path.basename(folder) in ('interface', 'kernel', 'level2', 'level3', 'others'):
            objects += [os.path.join(folder, name) for name in names if name.endswith('.o') and name not in FORTRANS]
    step.library('openblas', sorted(objects))
