"""scikit-learn, without OpenMP: one thread."""
from driver.meson import Tree

NEEDS = ['toolchain', 'native', 'tools', 'science', 'cpython', 'numpy', 'blas', 'lapack', 'scipy']
WHEELS = ['joblib', 'threadpoolctl']
SOURCES = ['scikit-learn', 'numpy', 'pybind11', *WHEELS]
FILES = ['recipe/driver/meson.py', 'recipe/compile/wasi.cross', 'recipe/compile/pkg_config.py', 'recipe/compile/science.h',
         'recipe/compile/threadshim.h']


def build(step):
    tree = Tree(step, step.source('scikit-learn'), 'sklearn', ['-Dcpp_std=c++17'])
    tree.build()
    tree.site()
    tree.with_wheels(*WHEELS)
    step.metadata('scikit-learn', step.version('scikit-learn'))
