"""scipy, without scipy.odr, its one part in Fortran, which is deprecated upstream."""
import glob
import os
import re
import shutil

from driver.meson import Tree

NEEDS = ['toolchain', 'native', 'tools', 'science', 'cpython', 'numpy', 'blas', 'lapack']
SOURCES = ['scipy', 'numpy', 'pybind11', 'openblas']
FILES = ['recipe/driver/meson.py', 'recipe/compile/wasi.cross', 'recipe/compile/pkg_config.py', 'recipe/compile/science.h',
         'recipe/compile/threadshim.h']

# The error handling and the functions that several modules of scipy.special are built with.
SHARED = re.compile(r'scipy/special/.*/(sf_error|xsf_wrappers|dd_real_wrappers|_cosine)\.(cc|cpp|c)\.o$')

# scipy.stats' copy of numpy's distributions.
NUMPYS = re.compile(r'/(\.\._)?libnpyrandom_distributions\.c\.o$')


def build(step):
    tree = Tree(step, step.source('scipy'), 'scipy', ['-D_without-fortran=true', '-Duse-pythran=false'],
                openblas=(step.version('openblas'), ''))
    tree.build(once=SHARED, elsewhere=NUMPYS)
    tree.site()
    step.metadata('scipy', step.version('scipy'))
    # Declarations of cython_blas and the like for the packages after this one.
    for package in ('scipy', 'scipy/linalg', 'scipy/special', 'scipy/optimize'):
        to = f'{step.out}/cython/{package}'
        os.makedirs(to)
        for path in glob.glob(f'{tree.path}/{package}/*.pxd') + glob.glob(f'{tree.source}/{package}/__init__.pxd'):
            shutil.copy(path, to)
        with open(f'{to}/__init__.py', 'w'):
            pass
