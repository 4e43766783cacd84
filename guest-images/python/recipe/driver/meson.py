"""Builds packages whose own build is meson: scipy, scikit-learn, statsmodels, with the cross compiler."""
import json
import os
import re
import shutil

from .lock import Problem
from .step import JOBS, mangled

SUFFIX = '.cpython-313-x86_64-linux-gnu.so'
# Modules that only tests import.
TESTS = re.compile(r'(^|/)(_test|_ctest|_cytest)')

NOTHING = re.compile('(?!)')
# Inputs of the build that lie among the Python files.
UNPACKED = ['*.pyx', '*.pxd', '*.pxi', '*.tp', '*.in', '*.c', '*.cpp', '*.h', 'meson.build']


class Tree:
    """A configured build tree of one package."""

    def __init__(self, step, source, package, options=(), **packages):
        self.step, self.source, self.package = step, source, package
        self.path = os.path.join(step.work, 'tree')
        science, numpy = step.result('science'), step.result('numpy')
        # numpy's headers, where f2py's lie beside them as in an installed numpy.
        include = os.path.join(step.work, 'numpy/_core/include')
        if not os.path.exists(include):
            shutil.copytree(f'{numpy}/include', include)
            shutil.copytree(f'{science}/site/numpy/f2py/src', os.path.join(step.work, 'numpy/f2py/src'))
        packages = {'numpy': (step.version('numpy'), ''),
                    'pybind11': (step.version('pybind11'), f'-I{step.result("tools")}/site/pybind11/include'), **packages}
        answers = os.path.join(step.work, 'pkg-config')
        with open(answers, 'w') as file:
            file.write(f'#!/bin/sh\nexec "{step.python}" "{step.recipe("compile/pkg_config.py")}" "$@"\n')
        os.chmod(answers, 0o755)
        cross = os.path.join(step.work, 'wasi.cross')
        with open(step.recipe('compile/wasi.cross')) as file:
            text = file.read().replace('@COMPILER@', step.compiler).replace('@TOOLS@', science).replace('@PYTHON@', step.python)
        text = text.replace("'/bin/false'", f"'{answers}'").replace('[properties]\n', f"[properties]\nnumpy-include-dir = '{include}'\n")
        with open(cross, 'w') as file:
            file.write(text)
        # The declarations of scipy's functions for Cython, the generators.
        found = [f'{step.result(need)}/cython' for need in step.needs if need == 'scipy'] + [f'{science}/site', f'{step.result("tools")}/site']
        extra = f'-msimd128 -Werror=incompatible-pointer-types -Wno-c++11-narrowing -include {step.recipe("compile/science.h")}'
        self.environment = {
            'WCC_PKG': '', 'PYTHONPATH': os.pathsep.join(found),
            'PATH': os.pathsep.join([f'{science}/bin', step.environment()['PATH']]),
            'RECIPE_PACKAGES': '\n'.join(f'{name}={version}|{flags}' for name, (version, flags) in packages.items()),
        }
        # While meson asks what the compiler can do, nothing is included.
        self.building = {**self.environment, 'WCC_OPT': '-O2', 'WCC_EXTRA': extra}
        if not os.path.exists(f'{self.path}/build.ninja'):
            shutil.rmtree(self.path, ignore_errors=True)
            step.run([f'{science}/bin/meson', 'setup', self.path, '--cross-file', cross, '-Dbuildtype=release', '-Db_ndebug=true', *options],
                     cwd=source, **self.environment)

    def build(self, left_out=TESTS, once=NOTHING, elsewhere=NOTHING):
        """Compiles the extension modules and registers them. `once` finds objects that several modules share, `elsewhere` those that
        another package has."""
        step = self.step
        listing = os.path.join(step.work, 'targets')
        step.run(['sh', '-c', f'ninja -t targets all > {listing}'], cwd=self.path, **self.environment)
        with open(listing) as file:
            names = sorted({line.split(':')[0][:-len(SUFFIX)] for line in file if f'{SUFFIX}: ' in line})
        names = [name for name in names if name.startswith(self.package + '/') and not left_out.search(name)]
        if not names:
            raise Problem(f'{self.package} has no extension modules; see {step.log}')
        step.run(['ninja', f'-j{JOBS}', *(name + SUFFIX for name in names)], cwd=self.path, **self.building)
        places, seen = self.installed(), set()
        for name in names:
            with open(f'{self.path}/{name}{SUFFIX}') as file:
                parts = [os.path.realpath(path) for path in json.load(file)['objs']]
            objects = []
            for path in filter(lambda path: path.endswith('.o'), parts):
                # What several modules are built with is the same object: one program needs it once.
                key = (os.path.dirname(name), os.path.basename(path))
                if not elsewhere.search(path) and (not once.search(path) or key not in seen):
                    objects.append(path)
                    seen.add(key)
            # A module may be installed elsewhere than it is built; the compiler named its init function after the latter.
            step.modules.append({'name': places[f'{self.path}/{name}{SUFFIX}'].split('.cpython')[0].replace('/', '.'),
                                 'init': mangled(name.replace('/', '.')), 'objects': objects,
                                 'libraries': [path for path in parts if path.endswith('.a')] + self.libraries()})

    def installed(self):
        """What is installed: path in the build, path below `site-packages`."""
        with open(f'{self.path}/meson-info/intro-installed.json') as file:
            return {path: re.split(r'/(?:site|dist)-packages/', to)[-1] for path, to in json.load(file).items()}

    def libraries(self):
        """BLAS and LAPACK."""
        return [f'{self.step.result(name)}/lib/lib{library}.a' for name, library in (('lapack', 'lapack'), ('blas', 'openblas'), ('lapack', 'f2c'))]

    def site(self):
        """What the package installs of Python files, those that its build makes too, which may name the build's folder."""
        for path, place in sorted(self.installed().items()):
            if os.path.isdir(path):
                self.step.site(place, path, skip=['tests', *UNPACKED])
            # statsmodels installs a folder that its sdist leaves out, which is nothing to Meson.
            elif path.startswith(self.path) and path.endswith('.py'):
                with open(path) as file:
                    self.step.site_text(place, file.read().replace(self.step.root, '/build'))
            elif os.path.exists(path) and '/tests/' not in place and not path.endswith(('.so', '.pyi', '.pxd', '.pyx', '.build')):
                self.step.site(place, path)

    def with_wheels(self, *keys):
        """Adds the packages that this one needs, as their wheels have them."""
        for key in keys:
            folder = self.step.source(key)
            for name in sorted(os.listdir(folder)):
                self.step.site(name, os.path.join(folder, name), skip=['*.so', 'tests', 'test'])
