"""The data behind a matplotlib figure, so that a page can redraw it: titles, axes, series. Shapes as in E2B's charts."""
import weakref

POINT_LIMIT = 4000                  # points of all series of a chart
TICK_LIMIT = 100
_boxes = weakref.WeakKeyDictionary()        # Axes -> the statistics of its box plots, which the drawing alone does not tell


def install():
    """Remember the statistics of box plots."""
    import functools

    from matplotlib.axes import Axes
    bxp = Axes.bxp

    @functools.wraps(bxp)
    def remembering(self, bxpstats, *args, **kwargs):
        bxpstats = list(bxpstats)
        result = bxp(self, bxpstats, *args, **kwargs)
        positions = args[0] if args else kwargs.get('positions')
        lying = kwargs.get('orientation') == 'horizontal' or kwargs.get('vert') is False
        for i, stats in enumerate(bxpstats):
            _boxes.setdefault(self, []).append((stats, i + 1 if positions is None else float(positions[i]), lying))
        return result
    Axes.bxp = remembering


def chart(figure):
    """The figure's chart as a dict, or None if it has no axes or cannot be read."""
    try:
        charts = [_axes_chart(ax) for ax in figure.axes if ax.get_visible() and not _is_colorbar(ax)]
        if len(charts) < 2:
            return charts[0] if charts else None
        title = figure.get_suptitle()
        return {'type': 'superchart', 'title': title or None, 'elements': charts}
    except Exception:
        return None


def _is_colorbar(ax):
    return hasattr(ax, '_colorbar') or ax.get_label() == '<colorbar>'


def _axes_chart(ax):
    for kind, elements in (('pie', _pie), ('box_and_whisker', _box), ('bar', _bars), ('bar', _steps), ('heatmap', _heatmap), ('scatter', _scatter), ('line', _lines),
                           ('area', _areas)):
        found = elements(ax)
        if found:
            break
    else:
        kind, found = 'unknown', []
    result = {'type': kind, 'title': ax.get_title() or None}
    if kind != 'pie':
        result.update(x_label=ax.get_xlabel() or None, y_label=ax.get_ylabel() or None, x_unit=None, y_unit=None)
    if kind in ('line', 'scatter', 'area'):
        for name, axis in (('x', ax.xaxis), ('y', ax.yaxis)):
            result.update(_ticks(name, axis))
        _thin(found)
    result['elements'] = found
    return result


def _thin(series):
    """Keep about POINT_LIMIT points over all series, evenly."""
    step = -(-sum(len(s['points']) for s in series) // POINT_LIMIT)
    if step > 1:
        for s in series:
            s['points'] = s['points'][::step]
            if 'errors' in s:
                s['errors'] = s['errors'][::step]


# ---- axes ----

def _ticks(name, axis):
    low, high = sorted(axis.get_view_interval())
    ticks = [(t, label.get_text()) for t, label in zip(axis.get_ticklocs(), axis.get_ticklabels()) if low <= t <= high]
    ticks = ticks[:TICK_LIMIT]
    return {name + '_ticks': [_from_axis(axis, t) for t, _ in ticks], name + '_tick_labels': [text for _, text in ticks],
            name + '_scale': _scale(axis)}


def _scale(axis):
    converter = type(axis.get_converter()).__name__
    if 'Date' in converter or 'Period' in converter or 'TimeSeries' in converter:
        return 'datetime'
    if converter == 'StrCategoryConverter':
        return 'categorical'
    return axis.get_scale()


def _from_axis(axis, number):
    """A position on an axis in the user's terms: a category, a date, a number."""
    number = float(number)
    scale = _scale(axis)
    if scale == 'categorical':
        names = {v: k for k, v in axis.units._mapping.items()}
        return str(names.get(round(number), number))
    if scale == 'datetime':
        converter = type(axis.get_converter()).__name__
        if 'Period' in converter or 'TimeSeries' in converter:
            import pandas as pd
            return str(pd.Period(ordinal=int(number), freq=axis.freq)) if getattr(axis, 'freq', None) else number
        from matplotlib.dates import num2date
        return num2date(number).replace(tzinfo=None).isoformat()
    return number


def _value(value):
    """One coordinate as the script gave it."""
    if hasattr(value, 'item') and getattr(value, 'dtype', None) is not None and value.dtype.kind == 'M':
        return str(value.astype('datetime64[us]').item().isoformat())
    if hasattr(value, 'item'):
        value = value.item()
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    return value.isoformat() if hasattr(value, 'isoformat') else str(value)


def _label(artist):
    label = str(artist.get_label() or '')
    return '' if label.startswith('_') else label


# ---- the kinds of charts ----

def _curves(ax):
    """Lines through data, not the ones across the whole axes such as axhline's."""
    return [line for line in ax.lines if line.get_transform() == ax.transData and len(line.get_xdata())]


def _series(line):
    x, y = line.get_xdata(orig=True), line.get_ydata(orig=True)
    return {'label': _label(line), 'points': [[_value(a), _value(b)] for a, b in zip(x, y)]}


def _is_dots(line):
    return line.get_linestyle() in ('None', 'none', ' ', '') and line.get_marker() not in ('None', 'none', '', None)


def _lines(ax):
    errors = _errors(ax)
    found = []
    for line in _curves(ax):
        found.append(_series(line))
        if id(line) in errors:
            found[-1]['errors'] = errors[id(line)][:POINT_LIMIT]
    return found


def _scatter(ax):
    from matplotlib.collections import PathCollection
    found = []
    for dots in ax.collections:
        if isinstance(dots, PathCollection):
            points = [[_from_axis(ax.xaxis, x), _from_axis(ax.yaxis, y)] for x, y in dots.get_offsets().tolist() if x is not None and y is not None]
            if points:
                found.append({'label': _label(dots), 'points': points})
    curves = _curves(ax)
    if found or curves and all(map(_is_dots, curves)):
        return found + [_series(line) for line in curves]


def _bars(ax):
    from matplotlib.container import BarContainer
    found = []
    colours = _legend(ax)
    for bars in ax.containers:
        if isinstance(bars, BarContainer):
            lying = bars.orientation == 'horizontal'
            axis = ax.yaxis if lying else ax.xaxis
            names = _names(axis)
            group = _label(bars) or (colours.get(tuple(bars[0].get_facecolor()), '') if len(bars) else '')
            for bar in bars:
                middle = bar.get_y() + bar.get_height() / 2 if lying else bar.get_x() + bar.get_width() / 2
                value = bar.get_width() if lying else bar.get_height()
                found.append({'label': _bar_label(axis, names, middle), 'group': group, 'value': _value(value)})
    return found[:POINT_LIMIT]


def _steps(ax):
    """The bins of a histogram that is drawn as an outline."""
    from matplotlib.patches import Polygon, StepPatch
    found = []
    for patch in ax.patches:
        if isinstance(patch, StepPatch):
            values, edges = patch.get_data().values, patch.get_data().edges
            bins = [((a + b) / 2, v) for a, b, v in zip(edges, edges[1:], values)]
        elif type(patch) is Polygon:        # corners of an outline: up at each edge, then along to the next
            corners = patch.get_xy()
            bins = [((a[0] + b[0]) / 2, a[1]) for a, b in zip(corners, corners[1:]) if a[1] == b[1] and a[0] < b[0]]
        else:
            continue
        found += [{'label': '%g' % middle, 'group': _label(patch), 'value': _value(value)} for middle, value in bins]
    return found[:POINT_LIMIT]


def _heatmap(ax):
    """Cells of imshow, pcolormesh and seaborn's heatmap: row and column by their tick, or by number."""
    import numpy as np
    from matplotlib.collections import QuadMesh
    images = [i for i in ax.images if np.ndim(i.get_array()) == 2]
    meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
    if images:
        grid, shift = images[0].get_array(), 0.0
    elif meshes:
        grid, shift = meshes[0].get_array(), 0.5
        if np.ndim(grid) == 1:
            height, width = (n - 1 for n in meshes[0].get_coordinates().shape[:2])
            grid = grid.reshape(height, width)
    else:
        return []
    if grid.size > POINT_LIMIT or np.ndim(grid) != 2:
        return []
    down, across = _names(ax.yaxis), _names(ax.xaxis)

    def name(axis, names, position):
        return _bar_label(axis, names, position) if names else '%g' % (position - shift)
    values = np.ma.filled(np.ma.asarray(grid, dtype=float), float('nan'))
    return [{'x': name(ax.xaxis, across, column + shift), 'y': name(ax.yaxis, down, row + shift),
             'value': float(value) if value == value else None}
            for row, line in enumerate(values) for column, value in enumerate(line)]


def _areas(ax):
    """Filled areas by their upper edge."""
    from matplotlib.collections import PolyCollection
    found = []
    for area in ax.collections:
        if isinstance(area, PolyCollection) and area.get_paths():
            edge = {}
            for x, y in area.get_paths()[0].vertices.tolist():
                edge[x] = max(y, edge.get(x, y))
            found.append({'label': _label(area), 'points': [[_from_axis(ax.xaxis, x), y] for x, y in sorted(edge.items())]})
    return found


def _legend(ax):
    """Names in the legend by their colour: seaborn names its bars there only."""
    legend = ax.get_legend()
    if legend is None:
        return {}
    handles = getattr(legend, 'legend_handles', ())
    colours = (getattr(handle, 'get_facecolor', lambda: None)() for handle in handles)
    return {tuple(colour): text.get_text() for colour, text in zip(colours, legend.get_texts())
            if isinstance(colour, tuple)}


def _errors(ax):
    """Half the length of each error bar, by the series' label."""
    from matplotlib.container import ErrorbarContainer
    found = {}
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and container.has_yerr and container.lines[2]:
            bars = container.lines[2][-1].get_segments()
            found[id(container.lines[0])] = [float(abs(bar[-1][1] - bar[0][1]) / 2) for bar in bars]
    return found


def _names(axis):
    """Positions and names of ticks that name their bars; none where the axis is a scale of numbers."""
    from matplotlib import category, ticker
    if isinstance(axis.get_major_formatter(), (ticker.FixedFormatter, ticker.FuncFormatter, category.StrCategoryFormatter)):
        return [(t, label.get_text()) for t, label in zip(axis.get_ticklocs(), axis.get_ticklabels()) if label.get_text()]
    return []


def _bar_label(axis, names, middle):
    if names:
        distance, name = min((abs(t - middle), text) for t, text in names)
        if distance < 0.5:              # bars of a group stand beside their tick
            return name
    position = _from_axis(axis, middle)
    return position if isinstance(position, str) else '%g' % position


def _pie(ax):
    from matplotlib.patches import Wedge
    wedges = [p for p in ax.patches if isinstance(p, Wedge)]
    return [{'label': _label(w), 'angle': float(abs(w.theta2 - w.theta1)), 'radius': float(w.r)} for w in wedges]


def _box(ax):
    found = []
    for stats, position, lying in _boxes.get(ax, ()):
        axis = ax.yaxis if lying else ax.xaxis
        label = _bar_label(axis, _names(axis), position)
        found.append({'label': label, 'min': _value(stats['whislo']), 'first_quartile': _value(stats['q1']),
                      'median': _value(stats['med']), 'third_quartile': _value(stats['q3']), 'max': _value(stats['whishi']),
                      'outliers': [_value(v) for v in list(stats.get('fliers', ()))[:POINT_LIMIT]]})
    return found
