"""zlib, as a library for CPython, FreeType and Pillow."""
import glob

NEEDS = ['toolchain']
SOURCES = ['zlib']


def build(step):
    source = step.source('zlib')
    step.library('z', step.compile(sorted(glob.glob(f'{source}/*.c')), ['-O3', '-DHAVE_UNISTD_H'], 'zlib'))
    step.headers('', f'{source}/zlib.h', f'{source}/zconf.h')
