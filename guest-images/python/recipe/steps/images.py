"""JPEG, WebP and TIFF as libraries for Pillow."""
import glob
import os
import re
import shutil

from driver.template import fill

NEEDS = ['toolchain', 'zlib', 'codecs']
SOURCES = ['libjpeg-turbo', 'libwebp', 'tiff']
FILES = ['recipe/driver/template.py']
WEBP = ['sharpyuv', 'src/dec', 'src/demux', 'src/dsp', 'src/enc', 'src/mux', 'src/utils']
OTHER_PROCESSORS = re.compile(r'_(sse2|sse41|avx2|neon|msa|mips32|mips_dsp_r2)\.c$')
TIFF_CODECS = '''CCITT JPEG LOGLUV LZW NEXT OJPEG PACKBITS PIXARLOG THUNDER ZIP SUBIFD WEBP ZSTD MDI'''.split()
TIFF_HAS = {f'{name}_SUPPORT' for name in TIFF_CODECS} | {
    'CHECK_JPEG_YCBCR_SUBSAMPLING', 'DEFAULT_EXTRASAMPLE_AS_ALPHA', 'CHUNKY_STRIP_READ_SUPPORT', 'DEFER_STRILE_LOAD', 'HAVE_IEEEFP',
    'HAVE_ASSERT_H', 'HAVE_FCNTL_H', 'HAVE_FSEEKO', 'HAVE_STRINGS_H', 'HAVE_SYS_TYPES_H', 'HAVE_UNISTD_H',
    'HAVE_JPEGTURBO_DUAL_MODE_8_12'}


def build(step):
    jpeg(step, step.source('libjpeg-turbo'))
    webp(step, step.source('libwebp'))
    tiff(step, step.source('tiff'))


def jpeg(step, source):
    """Without its SIMD parts, which are assembler for other processors."""
    include, version = f'{step.out}/include', step.version('libjpeg-turbo')
    os.makedirs(include, exist_ok=True)
    major, minor, patch = version.split('.')
    values = {'JPEG_LIB_VERSION': 62, 'VERSION': version, 'LIBJPEG_TURBO_VERSION_NUMBER': f'{major}{int(minor):03}{int(patch):03}',
              'BUILD': '', 'HIDDEN': '', 'INLINE': 'inline', 'THREAD_LOCAL': '', 'CMAKE_PROJECT_NAME': 'libjpeg-turbo', 'SIZE_T': 4,
              'COPYRIGHT_YEAR': '1991-2025'}
    arithmetic = {'C_ARITH_CODING_SUPPORTED', 'D_ARITH_CODING_SUPPORTED', 'HAVE_BUILTIN_CTZL'}
    for name in ('jconfig', 'jconfigint', 'jversion'):
        fill(f'{source}/src/{name}.h.in', f'{include}/{name}.h', values, arithmetic)
    with open(f'{source}/CMakeLists.txt') as file:
        parts = re.search(r'set\(JPEG_SOURCES (.*?)\)', file.read(), re.S).group(1).split()
    parts += ['src/jaricom.c', 'src/jcarith.c', 'src/jdarith.c']
    step.library('jpeg', step.compile([f'{source}/{part}' for part in parts], ['-O3', '-DNDEBUG', f'-I{include}', f'-I{source}/src'], 'jpeg'))
    step.headers('', *(f'{source}/src/{name}.h' for name in ('jpeglib', 'jmorecfg', 'jerror', 'jpegint')))


def webp(step, source):
    parts = [path for folder in WEBP for path in sorted(glob.glob(f'{source}/{folder}/*.c')) if not OTHER_PROCESSORS.search(path)]
    # The functions for other processors are declared and guarded by WEBP_HAVE_*; without a config.h none of them is there.
    step.library('webp', step.compile(parts, ['-O3', '-DNDEBUG', f'-I{source}', f'-I{source}/src'], 'webp'))
    shutil.copytree(f'{source}/src/webp', f'{step.out}/include/webp')


def tiff(step, source):
    include, version = f'{step.out}/include', step.version('tiff')
    types = {f'TIFF_{kind}{size}_T': f'{sign}int{size}_t' for kind, sign in (('INT', ''), ('UINT', 'u')) for size in (8, 16, 32, 64)}
    values = {**types, 'TIFF_SSIZE_T': 'int32_t', 'HOST_BIG_ENDIAN': 0, 'SIZEOF_SIZE_T': 4, 'LIBJPEG_12_PATH': '', 'PACKAGE_NAME': 'tiff',
              'PACKAGE_BUGREPORT': '', 'PACKAGE_TARNAME': 'tiff', 'PACKAGE_URL': '', 'PACKAGE_VERSION': version, 'PACKAGE_STRING': '',
              'PACKAGE': 'tiff', 'VERSION': version}
    defined = {**dict.fromkeys(TIFF_HAS, '1'), 'STRIPCHOP_DEFAULT': 'TIFF_STRIPCHOP', 'STRIP_SIZE_DEFAULT': '8192'}
    with open(f'{source}/RELEASE-DATE') as file:
        date = file.read().strip()
    major, minor, micro = version.split('.')
    values |= {'LIBTIFF_VERSION': version, 'LIBTIFF_MAJOR_VERSION': major, 'LIBTIFF_MINOR_VERSION': minor, 'LIBTIFF_MICRO_VERSION': micro,
               'LIBTIFF_RELEASE_DATE': date,
               'VAR': 'VAR', 'TIFF_MAX_DIR_COUNT': 1048576}
    for name in ('tif_config', 'tiffconf', 'tiffvers'):
        fill(f'{source}/libtiff/{name}.h.cmake.in', f'{include}/{name}.h', values, defined)
    with open(f'{source}/libtiff/CMakeLists.txt') as file:
        parts = re.search(r'target_sources\(tiff PRIVATE(.*?)\)', file.read(), re.S).group(1).split()
    parts = [part for part in parts if part.endswith('.c')] + ['tif_unix.c']
    flags = ['-DNDEBUG', '-DALLOW_TIFF_NON_EXT_ALLOC_FUNCTIONS', f'-I{include}', f'-I{source}/libtiff', f'-I{step.result("codecs")}/include',
             f'-I{step.result("zlib")}/include']
    step.library('tiff', step.compile([f'{source}/libtiff/{part}' for part in parts], flags, 'tiff'))
    step.headers('', f'{source}/libtiff/tiff.h', f'{source}/libtiff/tiffio.h')
