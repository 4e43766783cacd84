"""f2c, the translator of Fortran to C, for this machine."""
import os
import shutil

NEEDS = []
SOURCES = ['f2c']


def build(step):
    tree = os.path.join(step.work, 'tree')
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(os.path.join(step.source('f2c'), 'src'), tree)
    step.run(['make', '-f', 'makefile.u', 'f2c', 'CC=cc', 'CFLAGS=-O1 -w'], cwd=tree)
    os.makedirs(f'{step.out}/bin')
    shutil.copy(f'{tree}/f2c', f'{step.out}/bin')
