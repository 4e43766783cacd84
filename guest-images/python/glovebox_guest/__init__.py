"""The guest side of a Glovebox Python.

The C side calls warm() once, before the memory image is taken, and turn() for every piece of user code. Host services
are in the built-in module _glovebox: event(bytes), call(bytes), environ().
"""
import json

from ._display import display
from ._events import send as event
from ._turn import turn


def warm():
    from . import _warm
    _warm.warm()


def call(request):
    """Ask the host for a service and return its decoded answer."""
    import _glovebox
    return json.loads(_glovebox.call(json.dumps(request, ensure_ascii=False).encode('utf-8', 'replace')))


__all__ = ['warm', 'turn', 'display', 'event', 'call']
