"""The Python half of the guest: warm() runs once before the memory is copied, turn() runs a script.

The Rust half (src/lib.rs) calls both. Host services are in the built-in module _glovebox: event(bytes), call(bytes), environ().
"""
import json

import _glovebox

from .turns import turn


def warm():
    from . import warm_up
    warm_up.warm_up()


def event(obj):
    """Send one JSON event to the host."""
    _glovebox.event(json.dumps(obj, ensure_ascii=False, default=str).encode('utf-8', 'replace'))


def call(obj):
    """Ask the host for a service and return its decoded answer."""
    return json.loads(_glovebox.call(json.dumps(obj, ensure_ascii=False).encode('utf-8', 'replace')))


__all__ = ['warm', 'turn', 'event', 'call']
