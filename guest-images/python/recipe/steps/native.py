"""A native CPython of the guest's version: cross compiling asks it, and it compiles the .pyc files."""
import os

from driver.step import JOBS

NEEDS = []
SOURCES = ['cpython']


def build(step):
    source = step.source('cpython')
    tree = os.path.join(step.work, 'tree')
    os.makedirs(tree, exist_ok=True)
    step.run([f'{source}/configure', f'--prefix={step.out}', '--without-ensurepip', '--disable-test-modules', 'OPT=-O1 -g0'], cwd=tree)
    step.run(['make', f'-j{JOBS}'], cwd=tree)
    step.run(['make', 'install'], cwd=tree)
    # mkzip.py and the generators of numpy and scipy import it.
    step.run([step.out + '/bin/python3.13', '-c', 'import zlib, hashlib, math, json'])
