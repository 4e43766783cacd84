"""Enough of IPython for scripts written for notebooks: display and its wrappers. There is no IPython shell here."""
from .display import display

version_info = (9, 0, 0)
__version__ = '9.0.0'


def get_ipython():
    return None


__all__ = ['display', 'get_ipython']
