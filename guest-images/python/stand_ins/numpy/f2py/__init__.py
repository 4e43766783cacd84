"""Stands in for numpy's Fortran wrapper generator, so that `from numpy import *` and `import numpy.f2py` work."""


def _missing(*args, **kwargs):
    raise NotImplementedError('numpy.f2py needs a Fortran compiler, and there is none here')


compile = run_main = get_include = _missing
