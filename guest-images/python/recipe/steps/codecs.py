"""Snappy, Zstandard, LZ4 and Brotli as libraries, for Parquet, TIFF and the packages of these names."""
import glob
import os

from driver.template import fill

NEEDS = ['toolchain']
SOURCES = ['snappy', 'zstandard', 'lz4-library', 'brotli']
FILES = ['recipe/driver/template.py']
LZ4 = ['lz4', 'lz4hc', 'lz4frame', 'xxhash']
SNAPPY = ['snappy', 'snappy-c', 'snappy-sinksource', 'snappy-stubs-internal']
COMPILER_HAS = {'HAVE_ATTRIBUTE_ALWAYS_INLINE', 'HAVE_BUILTIN_CTZ', 'HAVE_BUILTIN_EXPECT', 'HAVE_BUILTIN_PREFETCH', 'HAVE_UNISTD_H'}


def build(step):
    snappy, zstandard, lz4, brotli = (step.source(key) for key in SOURCES)

    include = os.path.join(step.work, 'snappy-headers')
    os.makedirs(include, exist_ok=True)
    fill(f'{snappy}/cmake/config.h.in', f'{include}/config.h', defined=COMPILER_HAS)
    version = dict(zip(('PROJECT_VERSION_MAJOR', 'PROJECT_VERSION_MINOR', 'PROJECT_VERSION_PATCH'), step.version('snappy').split('.')))
    fill(f'{snappy}/snappy-stubs-public.h.in', f'{include}/snappy-stubs-public.h', {**version, 'HAVE_SYS_UIO_H_01': 0})
    flags = ['-O3', '-std=c++17', '-DNDEBUG', '-DHAVE_CONFIG_H', f'-I{include}', f'-I{snappy}']
    step.library('snappy', step.compile([f'{snappy}/{name}.cc' for name in SNAPPY], flags, 'snappy'))
    step.headers('', f'{snappy}/snappy-c.h')

    zstd = f'{zstandard}/zstd'
    # The one switch that this file has for a platform without threads.
    step.library('zstd', step.compile([f'{zstd}/zstd.c'], ['-O3', '-DNDEBUG', '-D__EMSCRIPTEN__'], 'zstd'))
    step.headers('', *(f'{zstd}/{name}.h' for name in ('zstd', 'zstd_errors', 'zdict')))

    step.library('lz4', step.compile([f'{lz4}/lib/{name}.c' for name in LZ4], ['-O3', '-DXXH_NAMESPACE=LZ4_'], 'lz4'))
    step.headers('', *(f'{lz4}/lib/{name}.h' for name in ('lz4', 'lz4hc', 'lz4frame', 'lz4frame_static')))

    parts = [path for part in ('common', 'dec', 'enc') for path in sorted(glob.glob(f'{brotli}/c/{part}/*.c'))]
    step.library('brotli', step.compile(parts, ['-O3', f'-I{brotli}/c/include'], 'brotli'))
    step.headers('brotli', *sorted(glob.glob(f'{brotli}/c/include/brotli/*.h')))
