"""The compressor of the image's files, pinned: two versions of zstd need not give the same bytes."""
import os
import shutil

NEEDS = ['native']
SOURCES = ['zstandard-native']
FILES = ['recipe/pack.py']


def build(step):
    site = os.path.join(step.out, 'site')
    shutil.copytree(step.source('zstandard-native'), site)
    step.run([step.python, step.recipe('pack.py'), '--version'], PYTHONPATH=site)
