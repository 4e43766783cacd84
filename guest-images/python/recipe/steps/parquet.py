"""fastparquet, with which pandas reads and writes Parquet; its codecs are behind the stand-in cramjam."""

NEEDS = ['toolchain', 'native', 'tools', 'cpython', 'numpy', 'compression']
SOURCES = ['fastparquet']


def build(step):
    source, numpy = step.source('fastparquet'), step.result('numpy')
    flags = ['-DNDEBUG', '-DNPY_NO_DEPRECATED_API=0', f'-I{numpy}/include', f'-I{step.result("cpython")}/include/python3.13']
    for part in ('cencoding', 'speedups'):
        name, generated = f'fastparquet.{part}', f'{step.work}/{part}.c'
        step.run([f'{step.result("tools")}/bin/cython', '-3', '-I', f'{numpy}/cython', f'fastparquet/{part}.pyx', '-o', generated], cwd=source)
        step.module(name, step.compile([generated], [*flags, step.init_flag(name)], name))
    step.site('fastparquet', f'{source}/fastparquet', skip=['test'])
    step.metadata('fastparquet', step.version('fastparquet'))
