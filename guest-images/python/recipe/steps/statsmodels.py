"""statsmodels."""
from driver.meson import Tree

NEEDS = ['toolchain', 'native', 'tools', 'science', 'cpython', 'numpy', 'blas', 'lapack', 'scipy']
WHEELS = ['patsy', 'formulaic', 'interface-meta', 'wrapt']
SOURCES = ['statsmodels', 'numpy', 'pybind11', *WHEELS]
FILES = ['recipe/driver/meson.py', 'recipe/compile/wasi.cross', 'recipe/compile/pkg_config.py', 'recipe/compile/science.h',
         'recipe/compile/threadshim.h']


def build(step):
    tree = Tree(step, step.source('statsmodels'), 'statsmodels')
    tree.build()
    tree.site()
    tree.with_wheels(*WHEELS)
    step.metadata('statsmodels', step.version('statsmodels'))
