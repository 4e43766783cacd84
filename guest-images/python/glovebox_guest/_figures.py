"""matplotlib without a window: plt.show() sends every open figure as a picture, with its chart data, and closes it."""
import io
import os
import weakref

from . import _charts, _display

DPI = 100
PIXEL_LIMIT = 25_000_000            # a larger figure is drawn with fewer dots per inch
DRAWN_BACKENDS = {'agg', 'cairo', 'pdf', 'pgf', 'ps', 'svg', 'template'}

formats = ('png',)                  # set by each turn's request
_open = {}                          # matplotlib's own register of open figures, once it is imported
GIF_FRAMES = 100                    # of an animation that is shown
_moving = weakref.WeakKeyDictionary()       # figure -> a weak reference to its animation
_saved = weakref.WeakSet()          # figures the script has written to a file itself


def install():
    """Replace what would open a window or needs one."""
    import time

    import matplotlib.figure
    import matplotlib.pyplot as plt
    from matplotlib._pylab_helpers import Gcf
    from matplotlib.figure import Figure

    global _open
    _open = Gcf.figs
    Figure.savefig = _remembering(Figure.savefig)
    _remember_animations()
    Figure.show = lambda self, warn=True: _show_and_close(self)
    plt.show = show
    plt.pause = time.sleep          # an animation's last frame is shown at the end of the turn
    plt.switch_backend = _without_windows(plt.switch_backend)
    _charts.install()


def _remembering(savefig):
    def wrapper(self, fname, *args, **kwargs):
        result = savefig(self, fname, *args, **kwargs)
        if isinstance(fname, (str, os.PathLike)) or isinstance(getattr(fname, 'name', None), str):
            _saved.add(self)
        return result
    return _like(wrapper, savefig)


def _remember_animations():
    """A figure that has an animation is shown moving; a film is written through the host's FFmpeg."""
    from matplotlib.animation import Animation
    begin, save = Animation.__init__, Animation.save

    def beginning(self, fig, *args, **kwargs):
        begin(self, fig, *args, **kwargs)
        _moving[fig] = weakref.ref(self)

    def saving(self, filename, writer=None, *args, **kwargs):
        ending = os.path.splitext(str(filename))[1].lower()
        if ending in ('.mp4', '.webm', '.mov', '.mkv'):
            return _film(save, self, str(filename), *args, **kwargs)
        save(self, filename, 'pillow' if writer in (None, 'ffmpeg', 'imagemagick') else writer, *args, **kwargs)
        _saved.add(self._fig)
    Animation.__init__, Animation.save = _like(beginning, begin), _like(saving, save)


def _film(save, animation, filename, *args, **kwargs):
    try:
        from glovebox import media
    except ImportError:
        raise ValueError('films cannot be written here: save the animation as a .gif') from None
    between = filename + '.gif'
    save(animation, between, 'pillow', *args, **kwargs)
    try:
        media.convert(between, filename)
    finally:
        os.remove(between)
    _saved.add(animation._fig)


def moving(animation):
    """The first frames of an animation as the bytes of a GIF."""
    import itertools

    from PIL import Image
    figure = animation._fig
    frames = []
    animation._draw_was_started = True      # it is drawn here, so it need not warn
    animation._init_draw()
    for data in itertools.islice(animation.new_saved_frame_seq(), GIF_FRAMES):
        animation._draw_next_frame(data, blit=False)
        file = io.BytesIO()
        type(figure).savefig.__wrapped__(figure, file, format='png', dpi=min(_dpi(figure), 80))
        frames.append(Image.open(file).convert('RGB'))
    pause = max(20, int(getattr(animation, '_interval', 100)))
    file = io.BytesIO()
    frames[0].save(file, 'GIF', save_all=True, append_images=frames[1:], duration=pause, loop=0)
    return file.getvalue()


def _without_windows(switch_backend):
    def wrapper(newbackend):
        drawn = str(newbackend).lower() in DRAWN_BACKENDS
        return switch_backend(newbackend if drawn else 'agg')
    return _like(wrapper, switch_backend)


def _like(wrapper, original):
    import functools
    return functools.wraps(original)(wrapper)


def show(*args, **kwargs):
    """plt.show(): every open figure, in the order of their numbers."""
    import matplotlib.pyplot as plt
    for number in plt.get_fignums():
        _show_and_close(plt.figure(number))


def show_forgotten():
    """At the end of a turn: the open figures that were neither shown nor saved. None stays open for the next turn."""
    if not _open:                   # as nearly always: touch nothing more
        return
    import matplotlib.pyplot as plt
    for number in plt.get_fignums():
        figure = plt.figure(number)
        if figure in _saved:
            _close(figure)
        else:
            _show_and_close(figure)


def _show_and_close(figure):
    _display.show(figure, main=False)
    _close(figure)


def _close(figure):
    import matplotlib.pyplot as plt
    plt.close(figure)


def bundle(figure):
    """(data, metadata, chart). A figure given as a value counts as shown: it is closed, and can still be drawn."""
    data = {'text/plain': repr(figure)}
    metadata = {}
    dpi = _dpi(figure)
    try:
        data['image/png'] = png = _drawn(figure, 'png', dpi)
        width, height = (int.from_bytes(png[i:i + 4], 'big') for i in (16, 20))
        metadata['image/png'] = {'width': width, 'height': height}
        if 'svg' in formats:
            data['image/svg+xml'] = _drawn(figure, 'svg', dpi).decode()
        animation = _moving.get(figure, lambda: None)()
        if animation is not None:
            data['image/gif'] = _moving_or_none(animation)
    finally:
        _close(figure)
    return data, metadata, _charts.chart(figure)


def _moving_or_none(animation):
    try:
        return moving(animation)
    except Exception:               # the still picture is there
        return None


def _dpi(figure):
    width, height = figure.get_size_inches()
    return min(DPI, (PIXEL_LIMIT / max(width * height, 1)) ** 0.5)


def _drawn(figure, kind, dpi):
    from matplotlib.figure import Figure
    savefig = Figure.savefig.__wrapped__        # drawing it here is not saving it
    for box in ('tight', None):
        file = io.BytesIO()
        try:
            savefig(figure, file, format=kind, dpi=dpi, bbox_inches=box)
            return file.getvalue()
        except Exception:
            if box is None:
                raise
