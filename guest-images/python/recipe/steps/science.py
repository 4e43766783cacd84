"""Generators of the scientific packages' builds: meson, a Cython for them, and a native numpy for f2py's sake."""
import os
import shutil

NEEDS = ['native']
SOURCES = ['cython-science', 'meson', 'numpy-native']


def build(step):
    site, commands = os.path.join(step.out, 'site'), os.path.join(step.out, 'bin')
    os.makedirs(commands)
    for key in SOURCES:
        shutil.copytree(step.source(key), site, dirs_exist_ok=True)
    for name, module in (('cython', 'from Cython.Compiler.Main import setuptools_main as main'), ('f2py', 'from numpy.f2py.f2py2e import main'),
                         ('meson', 'from mesonbuild.mesonmain import main')):
        path = os.path.join(commands, name)
        with open(path, 'w') as file:
            file.write(f'#!{step.python}\nimport sys\n{module}\nsys.exit(main())\n')
        os.chmod(path, 0o755)
        step.run([path, '-v' if name == 'f2py' else '--version'], PYTHONPATH=site)
