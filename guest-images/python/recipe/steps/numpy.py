"""numpy's extension modules, by its own meson build with the cross compiler."""
import glob
import json
import os
import shutil

from driver.step import JOBS

NEEDS = ['toolchain', 'native', 'tools', 'cpython', 'blas', 'lapack']
SOURCES = ['numpy', 'openblas']
FILES = ['recipe/compile/wasi.cross', 'recipe/compile/pkg_config.py', 'recipe/compile/numpy_sizes.h']
SUFFIX = '.cpython-313-x86_64-linux-gnu.so'
MODULES = ['_core/_multiarray_umath', 'linalg/lapack_lite', 'linalg/_umath_linalg', 'fft/_pocketfft_umath',
           *('random/' + name for name in '''bit_generator _common _bounded_integers _mt19937 _philox _pcg64 _sfc64 _generator
              mtrand'''.split())]
OPTIONS = ['-Dbuildtype=release', '-Db_ndebug=true', '-Dblas=openblas', '-Ddisable-optimization=true',
           '-Ddisable-svml=true', '-Ddisable-highway=true', '-Ddisable-intel-sort=true', '-Ddisable-threading=true']


def build(step):
    source = step.source('numpy')
    tree = os.path.join(step.work, 'tree')
    shutil.rmtree(tree, ignore_errors=True)
    cross, answers = os.path.join(step.work, 'wasi.cross'), os.path.join(step.work, 'pkg-config')
    with open(answers, 'w') as file:
        file.write(f'#!/bin/sh\nexec "{step.python}" "{step.recipe("compile/pkg_config.py")}" "$@"\n')
    os.chmod(answers, 0o755)
    with open(step.recipe('compile/wasi.cross')) as file, open(cross, 'w') as out:
        out.write(file.read().replace('@COMPILER@', step.compiler).replace('@TOOLS@', step.result('tools')).replace('@PYTHON@', step.python)
                  .replace('/bin/false', answers))
    # WCC_PKG makes the compiler rename each module's init function; WCC_OPT sets the optimisation. Without its "nontrapping"
    # conversions what is no integer becomes the smallest one, as on x86-64.
    environment = {'WCC_PKG': '', 'WCC_OPT': '-O3', 'WCC_EXTRA': f'-msimd128 -mno-nontrapping-fptoint -include {step.recipe("compile/numpy_sizes.h")}'}
    step.run([step.python, f'{source}/vendored-meson/meson/meson.py', 'setup', tree, '--cross-file', cross, *OPTIONS],
             cwd=source, WCC_PKG='', RECIPE_PACKAGES=f'scipy-openblas={step.version("openblas")}|')
    step.run(['ninja', f'-j{JOBS}', *(f'numpy/{name}{SUFFIX}' for name in MODULES)], cwd=tree, **environment)
    lapack = [f'{step.result(need)}/lib/lib{library}.a' for need, library in (('lapack', 'lapack'), ('blas', 'openblas'), ('lapack', 'f2c'))]
    errors = set()
    for name in MODULES:
        with open(f'{tree}/numpy/{name}{SUFFIX}') as file:
            parts = json.load(file)['objs']
        objects = [path for path in parts if path.endswith('.o')]
        # BLAS' report of a wrong argument is part of three modules: one is enough.
        objects = [path for path in objects if 'python_xerbla' not in path or not errors]
        errors.update(path for path in objects if 'python_xerbla' in path)
        step.module('numpy.' + name.replace('/', '.'), objects, [path for path in parts if path.endswith('.a')] + lapack)
    include = f'{step.out}/include'
    shutil.copytree(f'{source}/numpy/_core/include', include, ignore=shutil.ignore_patterns('*.in', 'meson.build'))
    for header in glob.glob(f'{tree}/numpy/_core/*.h'):
        shutil.copy(header, f'{include}/numpy')
    # For Cython's -I.
    for folder in ('numpy', 'numpy/random'):
        os.makedirs(f'{step.out}/cython/{folder}')
        for part in sorted(glob.glob(f'{source}/{folder}/*.pxd')):
            shutil.copy(part, f'{step.out}/cython/{folder}')
    step.site('numpy', f'{source}/numpy')
    with open(f'{tree}/numpy/__config__.py') as file:
        step.site_text('numpy/__config__.py', file.read().replace(step.root, '/build'))
    step.metadata('numpy', step.version('numpy'))
