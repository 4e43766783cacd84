"""display() and the wrappers that say how a value is to be shown."""
import base64
import html
import json
import mimetypes
import os

from glovebox_guest._display import DisplayHandle, display

__all__ = ['display', 'DisplayHandle', 'HTML', 'Markdown', 'Latex', 'Math', 'SVG', 'JSON', 'Javascript', 'Pretty', 'Code', 'Image',
           'Audio', 'Video', 'IFrame', 'FileLink', 'FileLinks', 'GeoJSON', 'clear_output', 'update_display', 'display_html',
           'display_markdown', 'display_latex', 'display_svg', 'display_json', 'display_png', 'display_jpeg', 'display_pretty',
           'display_javascript', 'set_matplotlib_formats', 'publish_display_data']


class DisplayObject:
    """A value with a MIME type of its own. `data` is the value or the name of a file; there is no network for `url`."""
    mime = 'text/plain'

    def __init__(self, data=None, url=None, filename=None, metadata=None, **options):
        if data is None and filename is not None:
            with open(filename, 'rb') as f:
                data = f.read()
        if data is None and url is not None:
            raise OSError('there is no network here: %s' % url)
        self.data, self.filename, self.metadata, self.options = data, filename, metadata or {}, options

    def _value(self):
        return self.data.decode('utf-8', 'replace') if isinstance(self.data, bytes) else self.data

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {self.mime: self._value(), 'text/plain': repr(self)}, {self.mime: self.metadata}

    def __repr__(self):
        return '<IPython.display.%s object>' % type(self).__name__


class HTML(DisplayObject):
    mime = 'text/html'


class Markdown(DisplayObject):
    mime = 'text/markdown'


class Latex(DisplayObject):
    mime = 'text/latex'


class Math(Latex):
    def _value(self):
        return r'$\displaystyle %s$' % super()._value().strip('$')


class SVG(DisplayObject):
    mime = 'image/svg+xml'

    def __init__(self, data=None, url=None, filename=None, **options):
        if isinstance(data, str) and '<' not in data and os.path.exists(data):
            data, filename = None, data
        super().__init__(data, url, filename, **options)


class JSON(DisplayObject):
    mime = 'application/json'

    def _value(self):
        return json.loads(self.data) if isinstance(self.data, (str, bytes)) else self.data


class GeoJSON(JSON):
    mime = 'application/geo+json'


class Javascript(DisplayObject):
    mime = 'application/javascript'


class Pretty(DisplayObject):
    def __repr__(self):
        return str(self._value())


class Code(DisplayObject):
    mime = 'text/html'

    def _value(self):
        return '<pre><code>%s</code></pre>' % html.escape(str(super()._value()))


class Image(DisplayObject):
    """A picture from bytes, from a file or, as a last resort, from the name given as data."""
    SIGNATURES = ((b'\x89PNG', 'image/png'), (b'\xff\xd8', 'image/jpeg'), (b'GIF8', 'image/gif'), (b'RIFF', 'image/webp'))

    def __init__(self, data=None, url=None, filename=None, format=None, width=None, height=None, **options):
        if isinstance(data, (str, os.PathLike)) and os.path.exists(data):
            data, filename = None, data
        super().__init__(data, url, filename, **options)
        if isinstance(self.data, str):
            self.data = base64.b64decode(self.data)
        self.mime = next((m for s, m in self.SIGNATURES if bytes(self.data or b'').startswith(s)), 'image/png')
        self.metadata = {k: v for k, v in (('width', width), ('height', height)) if v is not None}

    def _value(self):
        return self.data


class _Media(DisplayObject):
    """Sound and film as an HTML element that carries its bytes."""
    mime, tag, kind = 'text/html', 'audio', 'audio/wav'

    def __init__(self, data=None, filename=None, url=None, rate=None, autoplay=False, embed=None, **options):
        if isinstance(data, (str, os.PathLike)):
            data, filename = None, data
        if rate is not None and not isinstance(data, (bytes, type(None))):
            data = _wave(data, rate)
        super().__init__(data, url, filename, **options)
        self.kind = mimetypes.guess_type(str(filename))[0] or self.kind

    def _value(self):
        return '<%s controls src="data:%s;base64,%s"></%s>' % (self.tag, self.kind, base64.b64encode(self.data).decode(), self.tag)


class Audio(_Media):
    pass


class Video(_Media):
    tag, kind = 'video', 'video/mp4'


def _wave(samples, rate):
    """16-bit WAV bytes of samples, one row per channel."""
    import io
    import wave

    import numpy as np
    samples = np.atleast_2d(np.asarray(samples, dtype=float))
    loudest = np.abs(samples).max() or 1.0
    file = io.BytesIO()
    with wave.open(file, 'wb') as w:
        w.setnchannels(samples.shape[0])
        w.setsampwidth(2)
        w.setframerate(int(rate))
        w.writeframes((samples.T / loudest * 32767).astype('<i2').tobytes())
    return file.getvalue()


class IFrame(DisplayObject):
    mime = 'text/html'

    def __init__(self, src, width, height, **_options):
        super().__init__('<iframe src="%s" width="%s" height="%s"></iframe>' % (html.escape(str(src)), width, height))


class FileLink(DisplayObject):
    mime = 'text/html'

    def __init__(self, path, **_options):
        path = html.escape(str(path))
        super().__init__('<a href="%s">%s</a>' % (path, path))


FileLinks = FileLink


def clear_output(wait=False):
    """Nothing is taken back here: output is a record."""


def update_display(obj, *, display_id=None, **options):
    display(obj, **options)


def publish_display_data(data, metadata=None, **_options):
    display(data, raw=True, metadata=metadata)


def set_matplotlib_formats(*formats, **_options):
    """Which formats are sent is the caller's choice, not the script's."""


def _shower(wrap):
    def show(*objects, raw=False, **options):
        for obj in objects:
            display(wrap(obj) if raw else obj, **options)
    return show


display_html, display_markdown, display_latex = _shower(HTML), _shower(Markdown), _shower(Latex)
display_svg, display_json, display_javascript = _shower(SVG), _shower(JSON), _shower(Javascript)
display_png = display_jpeg = _shower(Image)
display_pretty = _shower(Pretty)
