"""Generators from PyPI, unpacked beside each other: Cython, ninja, headers of pybind11 and cppy."""
import os
import shutil

NEEDS = ['native']
SOURCES = ['cython', 'pybind11', 'cppy', 'ninja']


def build(step):
    site, commands = os.path.join(step.out, 'site'), os.path.join(step.out, 'bin')
    os.makedirs(commands)
    for key in SOURCES:
        shutil.copytree(step.source(key), site, dirs_exist_ok=True)
    ninja = [os.path.join(folder, 'ninja') for folder, _, files in os.walk(site) if 'ninja' in files and folder.endswith(('scripts', 'bin'))]
    shutil.copy(ninja[0], commands)
    os.chmod(os.path.join(commands, 'ninja'), 0o755)
    python = os.path.join(step.result('native'), 'bin/python3.13')
    for name, module in (('cython', 'from Cython.Compiler.Main import setuptools_main as main'), ('f2py', 'from numpy.f2py.f2py2e import main')):
        path = os.path.join(commands, name)
        with open(path, 'w') as file:
            file.write(f'#!{python}\n{module}\nmain()\n')
        os.chmod(path, 0o755)
    step.run([os.path.join(commands, 'cython'), '--version'])
    step.run([os.path.join(commands, 'ninja'), '--version'])
