"""The standard library's modules over other C libraries: sqlite3, bz2, lzma."""
import glob
import os

from driver.step import JOBS

NEEDS = ['toolchain', 'cpython']
SOURCES = ['cpython', 'sqlite3', 'bzip2', 'xz']
# One process, one thread, no dynamic loading; temporary tables lie in memory. No lock files: a run that is stopped would
# leave them, and nobody else writes to a run's workspace.
SQLITE = '''-DSQLITE_WASI -DSQLITE_DEFAULT_UNIX_VFS="unix-none" -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 -DSQLITE_OMIT_LOAD_EXTENSION
 -DSQLITE_OMIT_WAL -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_DQS=0 -DSQLITE_ENABLE_FTS3 -DSQLITE_ENABLE_FTS4 -DSQLITE_ENABLE_FTS5
 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB'''.split()
BZIP2 = [name + '.c' for name in 'blocksort huffman crctable randtable compress decompress bzlib'.split()]
CODERS = 'X86 ARM ARMTHUMB ARM64 POWERPC IA64 SPARC RISCV DELTA LZMA1 LZMA2'.split()
LZMA = ['-DHAVE_STDBOOL_H', '-DHAVE_INTTYPES_H', '-DHAVE_STDINT_H', '-DSIZEOF_SIZE_T=4', '-DTUKLIB_SYMBOL_PREFIX=lzma_', '-DHAVE_ENCODERS',
        '-DHAVE_DECODERS', '-DHAVE_LZIP_DECODER', *(f'-DHAVE_{way}_{coder}' for way in ('ENCODER', 'DECODER') for coder in CODERS),
        *(f'-DHAVE_MF_{finder}' for finder in ('HC3', 'HC4', 'BT2', 'BT3', 'BT4')),
        *(f'-DHAVE_CHECK_{check}' for check in ('CRC32', 'CRC64', 'SHA256')), '-std=gnu11']
# Threads, variants for small memory or other processors, and programs that make tables.
LZMA_UNUSED = ('_mt.c', '_small.c', '_tablegen.c', '_gen.c', 'outqueue.c', 'hardware_cputhreads.c', 'microlzma_encoder.c',
               'microlzma_decoder.c')


def build(step):
    source = step.source('cpython')
    libraries = {'sqlite3': sqlite(step), 'bz2': bzip2(step), 'lzma': lzma(step)}
    parts = {'_sqlite3': ('sqlite3', sorted(glob.glob(f'{source}/Modules/_sqlite/*.c'))),
             '_bz2': ('bz2', [f'{source}/Modules/_bz2module.c']), '_lzma': ('lzma', [f'{source}/Modules/_lzmamodule.c'])}
    for module, (library, sources) in parts.items():
        flags = ['-DNDEBUG', '-DPy_BUILD_CORE_MODULE', step.init_flag(module), f'-I{step.out}/include/{library}', f'-I{source}/Modules/_sqlite',
                 f'-I{step.result("cpython")}/include/python3.13', f'-I{step.result("cpython")}/include/python3.13/internal']
        step.module(module, step.compile(sources, flags, module), [libraries[library]])


def sqlite(step):
    """SQLite as one file, which its own Makefile joins from its sources."""
    source, tree = step.source('sqlite3'), os.path.join(step.work, 'amalgamation')
    os.makedirs(tree, exist_ok=True)
    if not os.path.exists(f'{tree}/sqlite3.c'):
        step.run([f'{source}/configure', '--disable-shared', '--disable-readline'], cwd=tree)
        step.run(['make', f'-j{JOBS}', 'sqlite3.c'], cwd=tree)
    step.headers('sqlite3', f'{tree}/sqlite3.h')
    return step.library('sqlite3', step.compile([f'{tree}/sqlite3.c'], SQLITE, 'sqlite'))


def bzip2(step):
    source = step.source('bzip2')
    step.headers('bz2', f'{source}/bzlib.h')
    return step.library('bz2', step.compile([f'{source}/{name}' for name in BZIP2], name='bzip2'))


def lzma(step):
    source = step.source('xz') + '/src'
    folders = ('check', 'common', 'lz', 'lzma', 'rangecoder', 'delta', 'simple')
    sources = [path for folder in folders for path in sorted(glob.glob(f'{source}/liblzma/{folder}/*.c')) if not path.endswith(LZMA_UNUSED)]
    sources.append(f'{source}/common/tuklib_physmem.c')
    flags = [*LZMA, f'-I{source}/common', f'-I{source}/liblzma/api', *(f'-I{source}/liblzma/{folder}' for folder in folders)]
    step.headers('lzma', f'{source}/liblzma/api/lzma.h')
    step.headers('lzma/lzma', *glob.glob(f'{source}/liblzma/api/lzma/*.h'))
    return step.library('lzma', step.compile(sources, flags, 'xz'))
