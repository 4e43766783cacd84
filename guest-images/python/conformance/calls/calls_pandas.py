"""pandas on integers, floats, dates, text, categories and nullable columns: every method on every kind of column."""
import io
import json

import numpy as np
import pandas as pd

_random = np.random.RandomState(11)
_days = pd.to_datetime(["2024-01-31", "2023-02-28", None, "2024-02-29", "1999-12-31", "2024-01-31", "2024-03-01", "2023-02-28", "2024-12-31", "2000-01-01"])
COLUMNS = {
    "int64": pd.Series([3, 1, 2**40, -5, 3, 0, 7, 2**53 + 1, 1, 9]),
    "int32": pd.Series([3, 1, 2**30, -5, 3, 0, 7, 2**31 - 1, 1, 9], dtype="int32"),
    "uint8": pd.Series([3, 1, 255, 5, 3, 0, 7, 200, 1, 9], dtype="uint8"),
    "float64": pd.Series([1.5, -2.25, np.nan, 0.0, 1e10, 1.5, 3.0, -1.0, 2.5, 0.1]),
    "float32": pd.Series([1.5, -2.25, np.nan, 0.0, 8.0, 1.5, 3.0, -1.0, 2.5, 0.5], dtype="float32"),
    "bool": pd.Series([True, False, True, True, False, True, False, False, True, True]),
    "Int64": pd.Series([3, None, 2**53 + 1, -5, 3, 0, 7, 2**40, 1, 9], dtype="Int64"),
    "Float64": pd.Series([1.5, None, 2.5, -5, 3, 0, 7, 0.25, 1, 9], dtype="Float64"),
    "boolean": pd.Series([True, None, False, True, True, False, True, None, False, True], dtype="boolean"),
    "datetime": pd.Series(_days),
    "zoned": pd.Series(_days).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
    "timedelta": pd.Series(_days - pd.Timestamp("2024-01-01")),
    "period": pd.Series(_days.to_period("M")),
    "text": pd.Series(["pear", "Apple", None, "fig", "pear", "Äpfel", "", "quince 7", "a,b", "日本"]),
    "string": pd.Series(["pear", "Apple", None, "fig", "pear", "Äpfel", "", "quince 7", "a,b", "日本"], dtype="string"),
    "category": pd.Series(["b", "a", None, "c", "b", "a", "c", "c", "b", "a"], dtype="category"),
    "ordered": pd.Series(pd.Categorical(["lo", "hi", None, "mid", "lo", "hi", "mid", "mid", "lo", "hi"], ["lo", "mid", "hi"], ordered=True)),
    "interval": pd.Series(pd.interval_range(0, 10)),
}
KEY = pd.Series(list("xyxzyxzzyx"), name="key")
DF = pd.DataFrame({"k": KEY, "n": COLUMNS["int64"], "i": COLUMNS["Int64"], "f": COLUMNS["float64"], "d": COLUMNS["datetime"],
                   "c": COLUMNS["category"], "t": COLUMNS["text"]})
OTHER = pd.DataFrame({"k": ["x", "z", "w"], "v": [2**40, 2, 3], "w": [0.5, None, 2]})
CLOCK = pd.Series(np.arange(50) * 2**33, index=pd.date_range("2024-02-27", periods=50, freq="7h"))


def excel(frame, engine):
    """A frame through XLSX and back."""
    file = io.BytesIO()
    frame.to_excel(file, index=False, engine=engine)
    return pd.read_excel(io.BytesIO(file.getvalue()))


SPACE = {"np": np, "pd": pd, "io": io, "json": json, "X": COLUMNS, "KEY": KEY, "DF": DF, "OTHER": OTHER, "CLOCK": CLOCK, "excel": excel}

METHODS = """
sum()|prod()|mean()|median()|std()|var()|sem()|skew()|kurt()|min()|max()|idxmin()|idxmax()|argmin()|argmax()|count()|nunique()|mode()
cumsum()|cumprod()|cummax()|cummin()|diff()|pct_change(fill_method=None)|shift(1)|shift(-2)|rank()|rank(method='dense')|rank(pct=True)|abs()|round(1)
sort_values(kind='stable')|sort_values(ascending=False, na_position='first', kind='stable')|argsort(kind='stable')|unique()|value_counts()|value_counts(normalize=True)|value_counts(dropna=False)
drop_duplicates()|duplicated()|isna()|fillna(method='ffill')|ffill()|bfill()|dropna()|interpolate()|describe()|quantile(0.3)|nlargest(3)|nsmallest(2)
factorize()|searchsorted(1)|isin([1, 'pear', True])|where(KEY == 'x')|mask(KEY == 'x')|repeat(2)|take([1, 3])|reindex([0, 20])|clip(0, 5)|head(2)|tail(2)
astype(str)|astype(object)|astype('int64')|astype('Int64')|astype('float32')|astype('category')|astype('string')|convert_dtypes()|infer_objects()
groupby(KEY).sum()|groupby(KEY).mean()|groupby(KEY).count()|groupby(KEY).first()|groupby(KEY).last()|groupby(KEY).min()|groupby(KEY).nunique()|groupby(KEY).size()
groupby(KEY).cumsum()|groupby(KEY).cumcount()|groupby(KEY).ngroup()|groupby(KEY).rank()|groupby(KEY).shift()|groupby(KEY).prod()|groupby(KEY).var()|groupby(KEY).median()
groupby(KEY).idxmax()|groupby(KEY).nth(0)|groupby(KEY).head(1)|groupby(KEY).value_counts()|groupby(KEY).describe()|groupby(KEY).quantile(0.5)|groupby(KEY).indices
groupby(KEY).agg(['min', 'count'])|groupby(KEY).apply(len)|groupby(KEY).transform('count')|groupby(KEY).ffill()|groupby(KEY).any()|groupby(KEY).sem()|groupby(KEY).groups
rolling(3).sum()|rolling(3).mean()|rolling(3, min_periods=1).max()|rolling(3).std()|rolling(3).median()|rolling(3).apply(sum)|expanding().sum()|ewm(span=3).mean()|rolling(2).count()
eq(1)|ne(1)|add(1)|mul(2)|sub(1)|floordiv(2)|mod(3)|pow(2)|truediv(2)|equals(KEY)|any()|all()|autocorr()|hasnans|is_unique|is_monotonic_increasing|nbytes|dtype|name
to_list()|to_numpy()|to_dict()|to_json()|to_csv()|to_frame('v')|map({1: 'one', 'pear': 2})|apply(str)|agg(['min', 'max'])|explode()|combine_first(KEY)
iloc[2]|iloc[[0, -1]]|loc[3:5]|at[1]|sample(3, random_state=1)|to_string()|memory_usage(index=False)|T|values|index|squeeze()|compare(KEY)|duplicated(keep=False)|item()
""".replace("\n", "|").strip("|").split("|")
PAIRS = ["X['{a}'] + X['{b}']", "X['{a}'] - X['{b}']", "X['{a}'] * X['{b}']", "X['{a}'] == X['{b}']", "X['{a}'] < X['{b}']",
         "pd.concat([X['{a}'], X['{b}']])", "X['{a}'].combine_first(X['{b}'])", "X['{a}'].isin(X['{b}'])", "pd.crosstab(X['{a}'], X['{b}'])",
         "X['{a}'].corr(X['{b}'])", "pd.merge(X['{a}'].rename('j').to_frame(), X['{b}'].rename('j').to_frame())"]
STRINGS = """
len()|upper()|lower()|title()|strip()|contains('p')|startswith('p')|endswith('e')|find('p')|rfind('e')|count('p')|replace('p', 'b')|replace('[aeiou]', '_', regex=True)
split(',')|split(',', expand=True)|get(0)|slice(1, 3)|cat(sep='-')|pad(8)|zfill(6)|center(9, '*')|extract('([a-z])([a-z])')|extractall('([aeiou])')|findall('[aeiou]')
get_dummies(',')|isalpha()|isdigit()|repeat(2)|partition('e')|encode('utf-8')|wrap(3)|swapcase()|match('p')|fullmatch('fig')|normalize('NFD')|join('-')|casefold()|index('p')
""".replace("\n", "|").strip("|").split("|")
DATES = """
year|month|day|hour|dayofweek|dayofyear|quarter|days_in_month|is_month_end|is_leap_year|date|time|day_name()|month_name()|strftime('%d.%m.%Y')|isocalendar()|normalize()
floor('D')|ceil('h')|round('2D')|to_period('Q')|tz_localize('UTC')|tz_convert('Asia/Tokyo')|total_seconds()|days|seconds|components|start_time|end_time|to_timestamp()|asfreq('D')
unit|as_unit('s')|is_quarter_start|weekday|microsecond|nanosecond|freq|tz|to_pydatetime()
""".replace("\n", "|").strip("|").split("|")
CATEGORIES = ["codes", "categories", "ordered", "add_categories(['q'])", "remove_unused_categories()", "rename_categories(str.upper)",
              "as_ordered()", "set_categories(['a'])", "reorder_categories(['c', 'b', 'a'])", "remove_categories(['a'])"]
FREE = r"""
pd.cut([1, 5, 9], 3)|pd.cut([1, 5, 9], 3, labels=False)|pd.cut(X['int64'], [0, 5, 2**60])|pd.qcut([1, 2, 3, 4], 2)|pd.qcut([1, 2, 3, 4], 2, labels=False)|pd.cut(X['float64'], 4, retbins=True)
pd.factorize([3, 1, 3])|pd.factorize(['b', None, 'b'])|pd.factorize(X['int64'], sort=True)|pd.unique(X['int64'])|pd.get_dummies(X['category'])|pd.get_dummies(DF[['k', 'c']], dtype=int)
pd.crosstab(DF.k, DF.c)|pd.crosstab(DF.k, DF.c, margins=True)|pd.crosstab(DF.k, DF.c, values=DF.n, aggfunc='sum')|pd.crosstab(DF.k, DF.c, normalize='index')
DF.pivot_table('n', 'k', 'c', 'sum')|DF.pivot_table('n', 'k', aggfunc=['sum', 'mean', 'count'])|DF.pivot_table('f', 'k', 'c', margins=True)|OTHER.pivot(index='k', columns='v', values='w')
DF.merge(OTHER)|DF.merge(OTHER, how='left')|DF.merge(OTHER, how='outer', indicator=True)|DF.merge(OTHER, how='right')|DF.merge(OTHER, how='cross')|OTHER.merge(OTHER, on='v')|DF.join(OTHER.set_index('k'), on='k')
pd.merge_asof(pd.DataFrame({'t': [1, 5, 10], 'a': [1, 2, 3]}), pd.DataFrame({'t': [1, 2, 6], 'b': [2**40, 5, 6]}), on='t')|pd.concat([DF, OTHER])|pd.concat([DF.n, OTHER.v], axis=1)
DF.groupby('k').n.agg(['sum', 'mean', 'max', 'size'])|DF.groupby('k', sort=False).n.sum()|DF.groupby(['k', 'c'], observed=True).n.sum()|DF.groupby(['k', 'c'], observed=False).size()
DF.groupby('c', observed=False).f.mean()|DF.groupby('k').agg(a=('n', 'sum'), b=('f', 'max'))|DF.groupby('k').cumcount()|DF.groupby('k').ngroup()|DF.groupby('k').n.transform('sum')|DF.groupby('k').n.apply(list)
DF.groupby('k').n.rolling(2).sum()|DF.groupby(pd.Grouper(key='d', freq='YE')).n.sum()|DF.groupby(DF.d.dt.year).size()|DF.groupby('k').indices|DF.groupby('k').groups|DF.groupby('k').get_group('x')
DF.describe()|DF.describe(include='all')|DF.dtypes|DF.select_dtypes('number').columns|DF.isna().sum()|DF.nunique()|DF.count()|DF.memory_usage(deep=False)|DF.sum(numeric_only=True)|DF.mean(numeric_only=True)
DF.corr(numeric_only=True)|DF.cov(numeric_only=True)|DF.quantile([0.25, 0.5], numeric_only=True)|DF.rank(numeric_only=True)|DF[['n', 'f']].cumsum()|DF[['n', 'f']].diff()|DF[['n']].pct_change()
DF.sort_values(['k', 'n'])|DF.sort_values('d', na_position='first')|DF.nlargest(3, 'n')|DF.drop_duplicates('k')|DF.duplicated('k')|DF.set_index('k').sort_index()|DF.set_index(['k', 'n']).index|DF.reset_index().columns
DF.melt(['k'], ['n', 'f'])|DF[['n', 'f']].stack()|DF.set_index(['k', 'n']).f.unstack()|DF.query('n > 3 and k == "x"')|DF.eval('n * 2')|DF.assign(z=DF.n * 2**10).z|DF.where(DF.n > 2)[['n', 'f']]|DF.loc[DF.n > 3, 'k']
DF.T|DF.to_dict('records')|DF.to_dict('list')|DF.to_dict('split')|DF.to_numpy()|DF.n.to_numpy().dtype|DF.values.dtype|DF.to_string()|repr(DF)|DF.to_html()|DF.to_markdown()|DF.explode('t')
DF.apply(lambda row: row.n, axis=1)|DF[['n', 'f']].apply('sum')|DF[['n', 'f']].map(str)|DF.sample(3, random_state=1)|DF.sample(frac=0.5, random_state=2).index|DF.iloc[::2].index|DF.itertuples().__next__()
DF.resample('QE', on='d').n.sum()|CLOCK.resample('D').sum()|CLOCK.resample('D').mean()|CLOCK.resample('2D').agg(['min', 'max', 'count'])|CLOCK.resample('ME').ohlc()|CLOCK.resample('3h').ffill().head()|CLOCK.resample('W').size()
CLOCK.asfreq('14h')|CLOCK.shift(1, freq='D').head()|CLOCK.rolling('2D').sum()|CLOCK.rolling('2D').count()|CLOCK.between_time('09:00', '17:00')|CLOCK.at_time('00:00')|CLOCK.tz_localize('UTC').tz_convert('America/New_York').index
CLOCK.groupby(CLOCK.index.date).sum()|CLOCK.to_period('M').index|CLOCK.index.isocalendar()|CLOCK['2024-02-28']|CLOCK[:'2024-02-28']|CLOCK.first_valid_index()|CLOCK.index.get_indexer([CLOCK.index[3]])|CLOCK.index.searchsorted(pd.Timestamp('2024-03-01'))
pd.date_range('2024-01-31', periods=4, freq='ME')|pd.date_range('2024-01-01', '2024-01-10', freq='B')|pd.date_range('2024-03-30', periods=3, tz='Europe/Berlin')|pd.bdate_range('2024-01-01', periods=6)|pd.period_range('2024', periods=3, freq='Q')
pd.timedelta_range('1h', periods=3)|pd.interval_range(0, 4)|pd.RangeIndex(5)|pd.RangeIndex(2**40).sum()|pd.Index([1, 2, 3])|pd.Index([1, 2]).get_indexer([2, 5])|pd.Index([3, 1]).argsort()|pd.Index(['a']).get_loc('a')
pd.Index([1, 2, 2]).get_indexer_non_unique([2])|pd.MultiIndex.from_product([[1, 2], ['a', 'b']])|pd.MultiIndex.from_product([[1, 2], ['a', 'b']]).codes|pd.MultiIndex.from_tuples([(1, 2)]).get_level_values(0)|pd.Index([1, 2]).join(pd.Index([2, 3]), how='outer', return_indexers=True)
pd.to_datetime(['2024-01-02', '03.04.2024'], format='mixed')|pd.to_datetime(['01/02/2024'], dayfirst=True)|pd.to_datetime([1700000000], unit='s')|pd.to_datetime(['x'], errors='coerce')|pd.to_datetime('2024-13-01')|pd.to_datetime([2**62])
pd.to_numeric(['1', '2.5', 'x'], errors='coerce')|pd.to_numeric(['1', '2'], downcast='integer')|pd.to_numeric([str(2**40)])|pd.to_numeric(['99999999999999999999'])|pd.to_timedelta(['1 days', '2h'])|pd.Timestamp('2024-02-29 12:00', tz='Europe/Berlin')
pd.Timestamp('2024-01-31') + pd.DateOffset(months=1)|pd.Timestamp('2024-01-31') + pd.offsets.MonthEnd(2)|pd.Timestamp('2024-01-31') - pd.Timestamp('2023-01-31')|pd.Timestamp.max|pd.Timestamp.min|pd.Timestamp(2**62)|pd.Timedelta('1 days 2:03:04').total_seconds()|hash(pd.Timestamp('2024-01-01'))
pd.Timestamp('2500-01-01')|pd.Timestamp('2024-10-27 02:30', tz='Europe/Berlin')|pd.Period('2024-02', 'M') + 3|pd.Period('2024Q1').end_time|pd.Timedelta(2**62)|pd.NaT == pd.NaT|pd.offsets.BDay(5) + pd.Timestamp('2024-01-05')|pd.tseries.frequencies.infer_freq(CLOCK.index)
pd.read_csv(io.StringIO('a,b\n1,x\n1099511627776,y\n'))|pd.read_csv(io.StringIO('a,b\n1,\n2,3\n'))|pd.read_csv(io.StringIO('a;b\n1,5;2\n'), sep=';', decimal=',')|pd.read_csv(io.StringIO('d,v\n2024-01-02,1\n'), parse_dates=['d'])|pd.read_csv(io.StringIO('a\n99999999999999999999\n'))
pd.read_csv(io.StringIO('a,b\n1,2\n3\n'))|pd.read_csv(io.StringIO('a\n1.1\n0.1\n1e400\n123456789.123456789\n'))|pd.read_csv(io.StringIO('a\n0.30000000000000004\n'), float_precision='round_trip')|pd.read_csv(io.StringIO('a b  c\n1 2  3\n'), sep=r'\s+')|pd.read_csv(io.StringIO('a,b\n"x\ny",2\n'))
pd.read_csv(io.StringIO('a\nTrue\nFalse\n'))|pd.read_csv(io.StringIO('a,b\n1,2,3\n4,5\n6,7,8,9\n'))|pd.read_csv(io.StringIO(''))|pd.read_csv(io.StringIO('a\n1\n2\n'), dtype='Int64')|pd.read_csv(io.StringIO('a,b\n1,x\n'), dtype={'b': 'category'})|pd.read_csv(io.StringIO('a\n1\n2\n3\n'), chunksize=2).get_chunk()
pd.read_csv(io.StringIO(DF.to_csv(index=False)))|pd.read_csv(io.StringIO(DF.to_csv(index=False)), engine='python')|DF.to_csv()|DF.to_csv(sep=';', decimal=',', date_format='%d.%m.%Y')|DF.to_json()|DF.to_json(orient='records', lines=True)|DF.to_json(orient='table')|pd.read_json(io.StringIO(DF.to_json()))
pd.read_json(io.StringIO('[{"a": 1099511627776, "b": "x"}]'))|pd.read_json(io.StringIO('{"a": [1, 2'))|pd.json_normalize([{'a': {'b': 1}, 'c': [1]}])|pd.read_fwf(io.StringIO('a  b\n1  2\n'))|excel(DF[['k', 'n', 'f', 'd', 't']], 'openpyxl')|excel(DF[['k', 'n', 'f', 'd', 't']], 'xlsxwriter')
pd.read_pickle(io.BytesIO(__import__('pickle').dumps(DF)))|pd.api.types.infer_dtype([1, 'a'])|pd.api.types.union_categoricals([X['category'], X['category']])|pd.util.hash_pandas_object(X['int64'])|pd.util.hash_pandas_object(X['text'])|pd.util.hash_array(np.arange(3))
pd.array([1, 2**40])|pd.array([1, None])|pd.array(['a', None])|pd.array([1.5])|pd.Series([1, 2]).dtype|pd.Series([2**63]).dtype|pd.Series([True, None]).dtype|pd.Series(dtype=int)|pd.Series([1, 2], dtype='uint')|pd.Series([1.5, 2]).astype(int)|pd.Series([1e20]).astype(int)
pd.DataFrame({'a': [1, 2]}) * 2**40|pd.Series([2**31] * 3).sum()|pd.Series([2**31] * 2).prod()|pd.Series(np.full(3, 2**31 - 1, 'int32')).sum()|pd.Series(np.full(3, 2**31 - 1, 'int32')).cumsum()|pd.Series([2**53, 1]).sum()|pd.Series([0.1] * 10).sum()|pd.Series(range(5)).rolling(2).sum()
pd.Series(['a', 'b']).str.len() * 2**31|pd.Series([3, 1]).argsort() * 2**31|pd.factorize(['a', 'b'])[0] * 2**31|pd.Series(list('ab')).astype('category').cat.codes|DF.groupby('k').size() * 2**31|pd.Series([1, 1]).value_counts() * 2**31|pd.Index([1, 2]).get_indexer([2]) * 2**31
pd.wide_to_long(pd.DataFrame({'id': [1], 'v1': [2], 'v2': [3]}), 'v', 'id', 'n')|pd.Series([1, 2]).to_frame().shape|pd.eval('2**40 + 1')|pd.isna([1, None])|pd.Series([1, 2, 3]).between(1, 2)|pd.Series([[1, 2], [3]]).explode()|pd.Series([1, np.inf]).describe()
""".strip()


def rounding(kind, method):
    if kind == "float32":
        return 8 << 29
    exact = ("min", "max", "sort", "shift", "iloc", "loc", "take", "fill", "head", "tail", "count", "unique", "to_", "isin")
    return 0 if method.startswith(exact) else 8


def calls():
    for kind in COLUMNS:
        for method in METHODS:
            yield f"X['{kind}'].{method}", rounding(kind, method)
    random = np.random.RandomState(3)
    kinds = list(COLUMNS)
    for pattern in PAIRS:
        for first in (kind for kind in kinds if kind != 'interval'):
            for second in random.choice(kinds, 5, replace=False):
                yield pattern.format(a=first, b=second), 8 if "corr(" in pattern else 0
    for kind in ["text", "string", "category"]:
        for method in STRINGS:
            yield f"X['{kind}'].str.{method}", 0
    for kind in ["datetime", "zoned", "timedelta", "period"]:
        for method in DATES:
            yield f"X['{kind}'].dt.{method}", 0
    for method in CATEGORIES:
        yield f"X['category'].cat.{method}", 0
        yield f"X['ordered'].cat.{method}", 0
    for line in FREE.splitlines():
        for call in line.split("|"):
            yield call, 8
