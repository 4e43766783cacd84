"""Events to the host: one JSON object each, always valid JSON, in order with what was printed before."""
import json
import sys

import _glovebox

_muted = False      # True while warming up: nobody listens yet


def mute(muted):
    global _muted
    _muted = muted


def send(event):
    """Send one event. Numbers JSON has no word for become null, unknown objects their text."""
    flush()
    if _muted:
        return
    try:
        text = json.dumps(event, ensure_ascii=False, allow_nan=False, default=_jsonable)
    except (ValueError, TypeError):
        text = json.dumps(_finite(event), ensure_ascii=False, default=_jsonable)
    _glovebox.event(text.encode('utf-8', 'replace'))


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:           # user code may have put anything there
            pass


def _jsonable(value):
    for convert in ('tolist', 'isoformat'):         # numpy arrays and scalars, dates and times
        method = getattr(type(value), convert, None)
        if method:
            return _finite(method(value))
    return str(value)


def _finite(value):
    """The same with null for NaN and infinity, and text for keys that JSON does not allow."""
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if isinstance(value, dict):
        return {k if isinstance(k, str) else str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value
