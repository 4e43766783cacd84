"""Rich display: turns any object into a MIME bundle, as a notebook does, and sends it as a display event.

A failure here never reaches the user's script: a representation that raises is left out, and text/plain is always there.
"""
import base64
import json
import sys

from . import _events

TEXT_LIMIT = 64 * 1024              # characters of text/plain
VALUE_LIMIT = 16 * 1024 * 1024      # characters of any other representation; larger ones are left out
TABLE_ROWS, TABLE_COLUMNS, CELL_LIMIT = 200, 100, 1000
TABLE = 'application/vnd.dataresource+json'
BINARY = {'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'application/pdf', 'audio/wav', 'video/mp4'}
METHODS = {
    '_repr_html_': 'text/html',
    '_repr_markdown_': 'text/markdown',
    '_repr_svg_': 'image/svg+xml',
    '_repr_png_': 'image/png',
    '_repr_jpeg_': 'image/jpeg',
    '_repr_latex_': 'text/latex',
    '_repr_json_': 'application/json',
    '_repr_javascript_': 'application/javascript',
    '_repr_pdf_': 'application/pdf',
}
_handles = 0


class DisplayHandle:
    """What display(…, display_id=True) returns: shows again under the same id."""

    def __init__(self, display_id):
        self.display_id = display_id

    def display(self, obj, **options):
        display(obj, **options)

    update = display


def display(*objects, raw=False, metadata=None, display_id=None, include=None, exclude=None, **_ignored):
    """Show objects as a notebook would. With raw=True they are MIME bundles already."""
    global _handles
    for obj in objects:
        if raw and isinstance(obj, dict):
            _send({str(k): v for k, v in obj.items()}, metadata or {}, False)
        else:
            show(obj, main=False, metadata=metadata)
    if display_id:
        if display_id is True:
            _handles += 1
            display_id = 'display-%d' % _handles
        return DisplayHandle(display_id)


def show(obj, main, metadata=None):
    """Send one display event for an object; `main` marks the value of the last expression."""
    try:
        if _shows_itself(obj):
            return
        data, more, chart = _bundle(obj)
    except BaseException:
        data, more, chart = {}, {}, None
    data['text/plain'] = _text(data.get('text/plain')) or text(obj)
    if metadata:
        more = {**more, **metadata}
    _send(data, more, main, chart)


def text(obj):
    """repr(obj) as a plain string of bounded length, whatever the object does."""
    try:
        return _text(repr(obj))
    except BaseException as e:
        return '<%s object whose repr() raised %s>' % (_type_name(obj), _type_name(e))


def _text(value):
    """An exact str (a subclass could misbehave later on), cut to the limit."""
    if not isinstance(value, str):
        return ''
    value = ''.join((value, ''))
    if type(value) is str and len(value) > TEXT_LIMIT:
        return value[:TEXT_LIMIT] + '… (%d characters)' % len(value)
    return value


def _type_name(obj):
    return type.__getattribute__(type(obj), '__name__')


def _send(data, metadata, main, chart=None):
    data = {mime: value for mime, value in ((m, _encoded(m, v)) for m, v in data.items()) if value is not None}
    data.setdefault('text/plain', '')
    event = {'type': 'display', 'data': data, 'main': main}
    metadata = {k: v for k, v in metadata.items() if k in data and isinstance(v, dict)}
    if metadata:
        event['metadata'] = metadata
    if chart:
        event['chart'] = chart
    try:
        _events.send(event)
    except BaseException:                   # a value that is no JSON: keep what certainly is
        plain = {m: v for m, v in data.items() if type(v) is str}
        _events.send({'type': 'display', 'data': plain, 'main': main})


def _encoded(mime, value):
    """A representation as its MIME type wants it; None for what cannot be sent."""
    if mime in BINARY:
        if isinstance(value, (bytes, bytearray, memoryview)):
            value = base64.b64encode(value).decode('ascii')
        value = value.replace('\n', '') if isinstance(value, str) else None
    elif mime == 'application/json' or mime.endswith('+json'):
        if isinstance(value, str) and mime != 'application/json':
            value = json.loads(value)
        return value
    elif isinstance(value, (bytes, bytearray)):
        value = bytes(value).decode('utf-8', 'replace')
    elif not isinstance(value, str):
        value = None if value is None else str(value)
    return value if value is None or len(value) <= VALUE_LIMIT else None


# ---- from an object to its representations ----

def _method(obj, name):
    """A method found on the class: instances that answer to every name do not count."""
    if isinstance(obj, type):
        return None
    function = getattr(type(obj), name, None)
    return function.__get__(obj, type(obj)) if callable(function) and hasattr(function, '__get__') else None


def _shows_itself(obj):
    show_itself = _method(obj, '_ipython_display_')
    if show_itself:
        try:
            show_itself()
            return True
        except BaseException:
            pass
    return False


def _bundle(obj):
    """(data, metadata, chart) of an object; text/plain may be missing."""
    if type(obj) is dict:
        return _vega(obj), {}, None
    if type(obj) in (str, int, float, complex, bool, bytes, list, tuple, set, type(None)):
        return {}, {}, None
    for known in (_figure, _pandas, _styled, _picture, _animation):
        try:
            found = known(obj)
        except BaseException:
            found = None
        if found:
            return found
    data, metadata = _methods(obj)
    if not any(m.startswith('application/vnd.') for m in data):
        data.update(_chart_json(obj))
    return data, metadata, None


def _methods(obj):
    data, metadata = {}, {}
    bundle = _call(obj, '_repr_mimebundle_', include=None, exclude=None) or _call(obj, '_repr_mimebundle_')
    if isinstance(bundle, tuple) and len(bundle) == 2:
        bundle, metadata = bundle
    if isinstance(bundle, dict):
        data.update({str(k): v for k, v in bundle.items()})
    for name, mime in METHODS.items():
        if mime not in data:
            value = _call(obj, name)
            if isinstance(value, tuple) and len(value) == 2:
                value, metadata[mime] = value
            if value is not None:
                data[mime] = value
    return data, metadata if isinstance(metadata, dict) else {}


def _call(obj, name, **arguments):
    try:
        method = _method(obj, name)
        return method(**arguments) if method else None
    except BaseException:
        return None


def _chart_json(obj):
    """plotly's and altair's figures carry their own description."""
    plotly = _call(obj, 'to_plotly_json')
    if isinstance(plotly, dict) and 'data' in plotly:
        return {'application/vnd.plotly.v1+json': json.loads(json.dumps(plotly, default=_plain))}
    description = _call(obj, 'to_dict')
    return _vega(description) if isinstance(description, dict) else {}


def _vega(description):
    """A dict that says by its $schema that it is a Vega or Vega-Lite chart."""
    schema = description.get('$schema')
    if not isinstance(schema, str) or 'vega.github.io' not in schema:
        return {}
    try:
        description = json.loads(json.dumps(description, default=_plain))
    except BaseException:
        return {}
    return {'application/vnd.vegalite.v5+json' if 'vega-lite' in schema else 'application/vnd.vega.v5+json': description}


def _plain(value):
    """numpy's and pandas' values and arrays as JSON has them."""
    for name in ('tolist', 'isoformat'):
        method = _method(value, name)
        if method:
            return method()
    return str(value)


def _figure(obj):
    figure = sys.modules.get('matplotlib.figure')
    if figure and isinstance(obj, figure.Figure):
        from . import _figures
        return _figures.bundle(obj)


def _picture(obj):
    image = sys.modules.get('PIL.Image')
    if image and isinstance(obj, image.Image):
        import io
        file = io.BytesIO()
        drawable = obj if obj.mode in ('1', 'L', 'LA', 'I;16', 'P', 'RGB', 'RGBA') else obj.convert('RGB')
        drawable.save(file, 'PNG')
        if obj.format == 'GIF' and getattr(obj, 'is_animated', False):
            moving = io.BytesIO()
            obj.save(moving, 'GIF', save_all=True)
            return {'image/gif': moving.getvalue(), 'image/png': file.getvalue()}, {'image/gif': {'width': obj.width, 'height': obj.height}}, None
        return {'image/png': file.getvalue()}, {'image/png': {'width': obj.width, 'height': obj.height}}, None


def _animation(obj):
    """matplotlib's animations, as a GIF of their first frames."""
    animation = sys.modules.get('matplotlib.animation')
    if animation and isinstance(obj, animation.Animation):
        from . import _figures
        return {'image/gif': _figures.moving(obj), 'text/plain': _text(repr(obj))}, {}, None


def _styled(obj):
    """A styled DataFrame: a page of its rows, and its shape if there are more."""
    style = sys.modules.get('pandas.io.formats.style')
    if not style or not isinstance(obj, style.Styler):
        return None
    frame = obj.data
    rows, columns = frame.shape
    if rows > TABLE_ROWS or columns > TABLE_COLUMNS:        # styling all of them could take minutes
        shape = '%d rows × %d columns' % (rows, columns)
        return {'text/plain': shape, 'text/html': frame._repr_html_(), TABLE: _table(sys.modules['pandas'], frame)}, {}, None
    return {'text/plain': repr(frame), 'text/html': obj.to_html()}, {}, None


def _pandas(obj):
    pd = sys.modules.get('pandas')
    if not pd or not isinstance(obj, (pd.DataFrame, pd.Series, pd.Index)):
        return None
    if isinstance(obj, pd.DataFrame):
        frame = obj
    elif isinstance(obj, pd.Series):
        frame = obj.to_frame(obj.name if obj.name is not None else '')
    else:
        frame = obj[:TABLE_ROWS].to_frame(index=False)
    data = {'text/plain': repr(obj)}
    html = _call(frame, '_repr_html_')
    if html:
        data['text/html'] = html
    if not isinstance(obj, pd.Index):
        data[TABLE] = _table(pd, frame)
    return data, {}, None


def _table(pd, frame):
    """The first rows as data, so that a page can draw and sort them. Rows are lists in the order of the fields."""
    top = frame.iloc[:TABLE_ROWS, :TABLE_COLUMNS]
    columns, key = [], []
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        for level in range(frame.index.nlevels):
            name = frame.index.names[level]
            values = top.index.get_level_values(level)
            columns.append((_label(name) if name is not None else 'index' if frame.index.nlevels == 1 else 'level_%d' % level, values))
        key = [name for name, _ in columns]
    columns += [(_label(name), top.iloc[:, i]) for i, name in enumerate(top.columns)]
    fields = [{'name': name, 'type': _field_type(pd, values.dtype)} for name, values in columns]
    cells = [[_cell(pd, v) for v in values.tolist()] for _, values in columns]
    table = {'schema': {'fields': fields}, 'data': [list(row) for row in zip(*cells)],
             'total_rows': len(frame), 'total_columns': frame.shape[1]}
    if key:
        table['schema']['primaryKey'] = key
    return table


def _label(name):
    return ' / '.join(map(str, name)) if isinstance(name, tuple) else str(name)


def _field_type(pd, dtype):
    kinds = pd.api.types
    for test, name in ((kinds.is_bool_dtype, 'boolean'), (kinds.is_integer_dtype, 'integer'), (kinds.is_numeric_dtype, 'number'),
                       (kinds.is_datetime64_any_dtype, 'datetime'), (kinds.is_timedelta64_dtype, 'duration')):
        if test(dtype):
            return name
    return 'string'


def _cell(pd, value):
    if value is None or value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):      # beyond 2^53 a page would round it
        return int(value) if abs(value) <= 1 << 53 else str(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if hasattr(value, 'isoformat'):
        return value.isoformat()
    return _text(str(value))[:CELL_LIMIT]
