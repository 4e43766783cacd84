"""How a value is shown: one event with a representation per media type, as notebooks know them."""
import base64
import builtins
import json

import _glovebox

METHODS = {
    '_repr_html_': 'text/html',
    '_repr_markdown_': 'text/markdown',
    '_repr_svg_': 'image/svg+xml',
    '_repr_png_': 'image/png',
    '_repr_jpeg_': 'image/jpeg',
    '_repr_latex_': 'text/latex',
    '_repr_json_': 'application/json',
}


def display(*objs, **_options):
    """Show values to the person who reads the result."""
    for obj in objs:
        _send(obj, main=False)


def displayhook(value):
    """Show the value of a script's last expression; None shows nothing."""
    if value is not None:
        builtins._ = value
        _send(value, main=True)


def _send(obj, main):
    event = {'type': 'display', 'data': bundle(obj), 'main': main}
    _glovebox.event(json.dumps(event, ensure_ascii=False, default=str).encode('utf-8', 'replace'))


def bundle(obj):
    """Media type -> representation. Only text is always there: a method that fails is as good as absent."""
    data = {}
    if not isinstance(obj, type):       # a class has its instances' methods, but nobody to call them on
        shown = _quietly(obj, '_repr_mimebundle_')
        if isinstance(shown, tuple):    # (data, metadata)
            shown = shown[0]
        if isinstance(shown, dict):
            data.update((str(kind), _plain(value)) for kind, value in shown.items() if value is not None)
        for method, kind in METHODS.items():
            if kind not in data:
                shown = _quietly(obj, method)
                if isinstance(shown, tuple):
                    shown = shown[0]
                if shown is not None:
                    data[kind] = _plain(shown)
    if 'text/plain' not in data:
        data['text/plain'] = _text(obj)
    return data


def _quietly(obj, method):
    try:
        method = getattr(obj, method, None)
        return method() if callable(method) else None
    except Exception:
        return None


def _plain(value):
    """Bytes as base64; the rest as JSON can hold it, or as text."""
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode('ascii')
    if isinstance(value, str):
        return value
    try:
        json.dumps(value)
        return value
    except Exception:
        return _text(value)


def _text(obj):
    try:
        return repr(obj)
    except Exception as e:
        return '<%s object, its repr failed with %s>' % (type(obj).__name__, type(e).__name__)
