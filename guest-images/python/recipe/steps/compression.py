"""The packages zstandard, lz4 and brotli, and the Snappy module of the cramjam stand-in."""

NEEDS = ['toolchain', 'cpython', 'codecs']
SOURCES = ['zstandard', 'lz4', 'brotli']
FILES = ['recipe/compile/snappy_module.c']


def build(step):
    zstandard, lz4, brotli = (step.source(key) for key in SOURCES)
    codecs = step.result('codecs')
    headers = ['-DNDEBUG', f'-I{codecs}/include', f'-I{step.result("cpython")}/include/python3.13']

    def module(name, files, flags, library):
        objects = step.compile(files, [*flags, *headers, step.init_flag(name)], name)
        step.module(name, objects, [f'{codecs}/lib/lib{library}.a'])

    # Without ZSTD_SINGLE_FILE the module takes the library's header; both are of the same archive.
    module('zstandard.backend_c', [f'{zstandard}/c-ext/backend_c.c'], [f'-I{zstandard}/c-ext', f'-I{zstandard}/zstd'], 'zstd')
    for part in ('_version', 'block/_block', 'frame/_frame'):
        module('lz4.' + part.replace('/', '.'), [f'{lz4}/lz4/{part}.c'], [], 'lz4')
    module('_brotli', [f'{brotli}/python/_brotli.c'], [], 'brotli')
    module('cramjam._snappy', [step.recipe('compile/snappy_module.c')], [], 'snappy')

    step.site('zstandard', f'{zstandard}/zstandard', skip=['backend_cffi.py', 'backend_rust*'])
    step.site('lz4', f'{lz4}/lz4', skip=['stream'])
    step.site('brotli.py', f'{brotli}/python/brotli.py')
    for key in SOURCES:
        step.metadata(key, step.version(key))
