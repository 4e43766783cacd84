"""Audio and video, through FFmpeg outside of the sandbox. Files lie in the workspace (/mnt/data, the working directory).

    probe(path) -> dict                                  format, duration_s, width, height, fps, frames, streams …
    frames(path, out='frame-{}.png', times=None, every=None, count=None, width=None) -> list of paths
    contact_sheet(path, out=None, cols=4, rows=None, width=1200) -> path
    convert(path, out, start=None, end=None, speed=None, width=None, height=None, crop=None, rotate=None, fps=None,
            mute=False) -> path                          the ending of `out` says the format
    concatenate(paths, out) -> path
    extract_audio(path, out=None) -> path                default: the name of the video with .mp3
    encode(frames, out, fps=10) -> path                  PIL images, numpy arrays, matplotlib figures, names of pictures

Times are seconds, sizes are pixels. Written: mp4, webm, mov, mkv, gif, mp3, m4a, wav, flac, ogg.
Errors: FileNotFoundError; ValueError for an argument that makes no sense; MediaError for a file that is damaged, too
large or of a kind that is not read, and if audio and video are not available here.
"""
import io
import json
import os

__all__ = ['MediaError', 'probe', 'frames', 'contact_sheet', 'convert', 'concatenate', 'extract_audio', 'encode']

FORMATS = ('mp4', 'webm', 'mov', 'mkv', 'gif', 'mp3', 'm4a', 'wav', 'flac', 'ogg')
WORKSPACE = '/mnt/data'


class MediaError(Exception):
    """A media file could not be read or written; `kind` says why: input, cap, output, process, missing, refused."""

    def __init__(self, message, kind='input'):
        super().__init__(message)
        self.kind = kind


def probe(path):
    """What is in a media file, without decoding it.

    A dict: format, duration_s, streams (each with kind, codec, width, height, fps, frames, channels, sample_rate), and of
    the first video stream width, height, fps, frames, codec; has_video, has_audio.
    """
    found = _ask({'op': 'probe'}, [path])['probe']
    streams = []
    for stream in found['streams']:
        stream['fps'] = stream.pop('frames_per_second')
        streams.append(stream)
    facts = {'format': found['format'], 'duration_s': found['duration_ms'] / 1000, 'streams': streams}
    video = next((s for s in streams if s['kind'] == 'video'), None)
    facts['has_video'] = video is not None
    facts['has_audio'] = any(s['kind'] == 'audio' for s in streams)
    if video:
        facts.update({k: video[k] for k in ('width', 'height', 'fps', 'frames', 'codec')})
    return facts


def frames(path, out='frame-{}.png', times=None, every=None, count=None, width=None):
    """Save pictures of a video as PNG files and return their paths.

    times: seconds, a number or a list; every: one each so many seconds, 0 for every picture; count: so many, spread
    evenly. Without any of them the first picture. `out` names the files: {} becomes 0001, 0002 …; it may be left out of
    the name if there is one picture.
    """
    given = [name for name, value in (('times', times), ('every', every), ('count', count)) if value is not None]
    if len(given) > 1:
        raise ValueError('give one of times, every and count, not %s' % ' and '.join(given))
    if count is not None:
        if int(count) < 1:
            raise ValueError('count is at least 1, not %r' % (count,))
        duration = probe(path)['duration_s']
        times = [(n + 0.5) * duration / int(count) for n in range(int(count))]
    op = {'op': 'frames'}
    if times is not None:
        op['at_s'] = [float(t) for t in (times if hasattr(times, '__iter__') else [times])]
    if every is not None:
        op['every_s'] = float(every)
    _put(op, width=_pixels('width', width))
    out = os.fspath(out)
    if '{}' not in out:
        if every is not None or len(op.get('at_s', ())) > 1:
            raise ValueError("several pictures need a name with {} for their number, such as 'frame-{}.png', not %r" % out)
    if not out.lower().endswith('.png'):
        raise ValueError('pictures are written as .png, not %r' % out)
    return _ask(op, [path], out)['paths']


def contact_sheet(path, out=None, cols=4, rows=None, width=1200):
    """Save one PNG with pictures spread over a video, `cols` in a row, and return its path."""
    out = _default(path, out, '-sheet.png')
    rows = int(cols) if rows is None else int(rows)
    op = {'op': 'contact_sheet', 'columns': int(cols), 'rows': rows, 'width': _pixels('width', width)}
    return _ask(op, [path], out)['paths'][0]


def convert(path, out, start=None, end=None, speed=None, width=None, height=None, crop=None, rotate=None, fps=None,
            mute=False):
    """Write a video, animation or sound in another format, edited, and return its path.

    The ending of `out` says the format. start, end: seconds of the input. speed: 2 is twice as fast, 0.5 half. width,
    height: pixels; one alone keeps the proportions. crop: (left, top, width, height) in pixels of the input. rotate:
    degrees clockwise, a multiple of 90. fps: pictures a second. mute: without sound.
    """
    op = {'op': 'convert', 'format': _format(out), 'mute': bool(mute)}
    _put(op, start_s=_number(start), end_s=_number(end), speed=_number(speed), fps=_number(fps),
         width=_pixels('width', width), height=_pixels('height', height), rotate=None if rotate is None else int(rotate))
    if crop is not None:
        crop = [int(n) for n in crop]
        if len(crop) != 4 or min(crop) < 0:
            raise ValueError('crop is (left, top, width, height) in pixels, not %r' % (crop,))
        op['crop'] = crop
    return _ask(op, [path], out)['paths'][0]


def concatenate(paths, out):
    """Join videos or sounds one after the other, in the size of the first, and return the path of the result."""
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    if not paths:
        raise ValueError('nothing to join: give at least one file')
    return _ask({'op': 'concatenate', 'format': _format(out)}, paths, out)['paths'][0]


def extract_audio(path, out=None):
    """Save the sound of a video and return its path; the ending of `out` says the format (mp3, m4a, wav, flac, ogg)."""
    out = _default(path, out, '.mp3')
    return _ask({'op': 'extract_audio', 'format': _format(out)}, [path], out)['paths'][0]


def encode(frames, out, fps=10):
    """Make a video or an animation of pictures and return its path.

    frames: PIL images, numpy arrays (height × width, × 3 or × 4; numbers 0 to 255, or 0.0 to 1.0), matplotlib figures, or
    names of picture files; all become the size of the first.
    """
    kind = _format(out)
    if not float(fps) > 0:
        raise ValueError('fps is more than 0, not %r' % (fps,))
    parts = os.path.join(os.path.dirname(os.fspath(out)), '.frames-%s.png' % os.path.basename(os.fspath(out)))
    size, count = None, 0
    try:
        with open(parts, 'wb') as file:
            for frame in frames:
                image = _image(frame)
                size = size or image.size
                if image.size != size:
                    image = image.resize(size)
                buffer = io.BytesIO()
                image.save(buffer, 'PNG', compress_level=1)
                file.write(buffer.getvalue())
                count += 1
        if not count:
            raise ValueError('no pictures to encode: give at least one')
        return _ask({'op': 'encode', 'format': kind, 'fps': float(fps)}, [parts], out)['paths'][0]
    finally:
        if os.path.exists(parts):
            os.remove(parts)


def _image(frame):
    """Any picture as a PIL image without transparency."""
    from PIL import Image
    if isinstance(frame, (str, os.PathLike)):
        with Image.open(frame) as image:
            image.load()
            frame = image
    if hasattr(frame, 'savefig'):
        buffer = io.BytesIO()
        frame.savefig(buffer, format='png')
        buffer.seek(0)
        frame = Image.open(buffer)
    if isinstance(frame, Image.Image):
        if 'A' in frame.getbands() or 'transparency' in frame.info:
            frame = frame.convert('RGBA')
            white = Image.new('RGBA', frame.size, 'white')
            frame = Image.alpha_composite(white, frame)
        return frame.convert('RGB')
    if hasattr(frame, '__array__'):
        import numpy as np
        array = np.asarray(frame)
        if array.dtype.kind == 'f':
            array = array * 255 if np.nanmax(array, initial=0) <= 1 else array
        array = np.nan_to_num(array).clip(0, 255).astype('uint8') if array.dtype != bool else array.astype('uint8') * 255
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim not in (2, 3) or array.ndim == 3 and array.shape[2] not in (3, 4):
            raise ValueError('an array of shape %r is no picture: use height × width, × 3 or × 4' % (array.shape,))
        return _image(Image.fromarray(array))
    raise ValueError('%s is no picture: use PIL images, numpy arrays, matplotlib figures or file names' % type(frame).__name__)


def _format(out):
    kind = os.path.splitext(os.fspath(out))[1].lstrip('.').lower()
    kind = {'m4v': 'mp4', 'oga': 'ogg', 'opus': 'ogg'}.get(kind, kind)
    if kind not in FORMATS:
        raise ValueError('%r does not say a format that can be written; its ending is one of: %s'
                         % (os.fspath(out), ', '.join('.' + f for f in FORMATS)))
    return kind


def _default(path, out, ending):
    return os.path.splitext(os.fspath(path))[0] + ending if out is None else out


def _number(value):
    return None if value is None else float(value)


def _pixels(name, value):
    if value is None:
        return None
    if int(value) < 1:
        raise ValueError('%s is at least 1 pixel, not %r' % (name, value))
    return int(value)


def _put(op, **values):
    op.update({name: value for name, value in values.items() if value is not None})


def _inside(path):
    """A path as seen from the workspace."""
    path = os.path.abspath(os.fspath(path))
    if not path.startswith(WORKSPACE + '/'):
        raise ValueError('%s is outside of %s: audio and video are read and written there alone; copy the file first'
                         % (path, WORKSPACE))
    return path[len(WORKSPACE) + 1:]


def _ask(op, inputs, output=None):
    import _glovebox
    for path in inputs:
        if not os.path.exists(path):
            raise FileNotFoundError(2, 'No such file or directory', os.fspath(path))
    request = {'service': 'media', 'op': op, 'inputs': [_inside(path) for path in inputs]}
    if output is not None:
        request['output'] = _inside(output)
    try:
        answer = _glovebox.call(json.dumps(request, ensure_ascii=False).encode())
    except OSError:
        raise MediaError('audio and video are not granted here: a policy with `media = true` under [services] does it',
                         'refused') from None
    answer = json.loads(answer)
    error = answer.get('error')
    if error is None:
        return answer
    kind, message = error['kind'], error['message']
    if kind == 'request':
        raise ValueError(message)
    if kind == 'not_found':
        raise FileNotFoundError(2, message)
    raise MediaError(message, kind)
