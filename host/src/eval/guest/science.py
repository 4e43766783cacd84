"""Arrays and tables between two interpreters: their contents, rebuilt by numpy's and pandas' public constructors."""
import base64
import sys

from _glovebox_wire import _decoders, _science, decode, encode


def _numpy(value):
    np = sys.modules.get('numpy')
    if np is None:
        return None
    if isinstance(value, np.generic):
        if value.dtype.hasobject or value.dtype.names:
            return None
        return {'ns': [value.dtype.str, base64.b64encode(value.tobytes()).decode()]}
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray) or value.dtype.names:
        return None
    if value.dtype.hasobject:
        return {'no': [list(value.shape), [encode(v) for v in value.ravel().tolist()]]}
    return {'na': [value.dtype.str, list(value.shape), base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()]}


def _array(parts):
    import numpy as np
    kind, shape, text = parts
    return np.frombuffer(base64.b64decode(text), dtype=np.dtype(kind)).reshape([int(n) for n in shape]).copy()


def _scalar(parts):
    return _array([parts[0], [], parts[1]])[()]


def _objects(parts):
    import numpy as np
    shape, values = parts
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = decode(value)
    return array.reshape([int(n) for n in shape])


def _pandas(value):
    pd = sys.modules.get('pandas')
    if pd is None:
        return None
    if value is pd.NaT:
        return {'pt': None}
    if value is pd.NA:
        return {'pn': 0}
    if isinstance(value, pd.Timestamp):
        return {'pt': [value.isoformat(), str(value.tz) if value.tz is not None else None, value.unit]}
    if isinstance(value, pd.Timedelta):
        return {'pe': [value.value]}
    if isinstance(value, pd.Period):
        return {'pp': [value.ordinal, value.freqstr]}
    if isinstance(value, pd.Interval):
        return {'pv': [encode(value.left), encode(value.right), value.closed]}
    if isinstance(value, pd.DataFrame):
        return {'pd': [encode(value.columns), encode(value.index), [_column(value.iloc[:, i].array) for i in range(value.shape[1])]]}
    if isinstance(value, pd.Series):
        return {'ps': [_column(value.array), encode(value.index), encode(value.name)]}
    if isinstance(value, pd.MultiIndex):
        return {'pm': [[_column(value.get_level_values(i).array) for i in range(value.nlevels)], [encode(n) for n in value.names]]}
    if isinstance(value, pd.RangeIndex):
        return {'pr': [value.start, value.stop, value.step, encode(value.name)]}
    if isinstance(value, pd.Index):
        return {'pi': [_column(value.array), encode(value.name), getattr(value, 'freqstr', None)]}
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return {'px': _column(value)}
    return None


def _column(array):
    """The values of a column and what they are."""
    pd = sys.modules['pandas']
    kind = array.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return ['category', encode(array.codes), encode(array.categories), bool(array.ordered)]
    if isinstance(kind, pd.DatetimeTZDtype):
        return ['zoned', encode(array.asi8), str(kind.tz), kind.unit]
    if isinstance(kind, pd.api.extensions.ExtensionDtype):
        return ['extension', str(kind), [encode(v) for v in array]]
    return ['plain', encode(array.to_numpy())]


def _filled(parts):
    import pandas as pd
    kind, *parts = parts
    if kind == 'category':
        return pd.Categorical.from_codes(decode(parts[0]), categories=decode(parts[1]), ordered=parts[2])
    if kind == 'zoned':
        return pd.array(decode(parts[0]).astype('M8[%s]' % parts[2]), dtype='M8[%s]' % parts[2]).tz_localize('UTC').tz_convert(parts[1])
    if kind == 'extension':
        return pd.array([decode(v) for v in parts[1]], dtype=parts[0])
    return decode(parts[0])


def _timestamp(parts):
    import pandas as pd
    if parts is None:
        return pd.NaT
    stamp = pd.Timestamp(parts[0])
    return (stamp.tz_convert(parts[1]) if parts[1] else stamp).as_unit(parts[2])


def _frame(parts):
    import pandas as pd
    columns, index, values = decode(parts[0]), decode(parts[1]), [_filled(v) for v in parts[2]]
    frame = pd.DataFrame(dict(enumerate(values)), index=index, columns=range(len(values)))
    frame.columns = columns
    return frame


def _series(parts):
    import pandas as pd
    return pd.Series(_filled(parts[0]), index=decode(parts[1]), name=decode(parts[2]))


def _index(parts):
    import pandas as pd
    index = pd.Index(_filled(parts[0]), name=decode(parts[1]))
    if parts[2]:
        index.freq = parts[2]
    return index


def _levels(parts):
    import pandas as pd
    return pd.MultiIndex.from_arrays([_filled(v) for v in parts[0]], names=[decode(n) for n in parts[1]])


def _range(parts):
    import pandas as pd
    return pd.RangeIndex(parts[0], parts[1], parts[2], name=decode(parts[3]))


def _missing(parts):
    import pandas as pd
    return pd.NA


def _span(parts):
    import pandas as pd
    return pd.Timedelta(parts[0])


def _scipy(value):
    sparse = sys.modules.get('scipy.sparse')
    if sparse is None or not sparse.issparse(value):
        return None
    coo = value.tocoo()
    return {'sp': [value.format, list(value.shape), encode(coo.data), encode(coo.row), encode(coo.col), isinstance(value, sparse.sparray)]}


def _sparse(parts):
    import scipy.sparse as sparse
    kind = sparse.coo_array if parts[5] else sparse.coo_matrix
    return kind((decode(parts[2]), (decode(parts[3]), decode(parts[4]))), shape=[int(n) for n in parts[1]]).asformat(parts[0])


def _period(parts):
    import pandas as pd
    return pd.Period(ordinal=int(parts[0]), freq=parts[1])


def _interval(parts):
    import pandas as pd
    return pd.Interval(decode(parts[0]), decode(parts[1]), parts[2])


_science += [_numpy, _pandas, _scipy]
_decoders.update(ns=_scalar, na=_array, no=_objects, pt=_timestamp, pn=_missing, pe=_span, pp=_period, pv=_interval, pd=_frame, ps=_series, px=_filled,
                 pi=_index, pm=_levels, pr=_range, sp=_sparse)
