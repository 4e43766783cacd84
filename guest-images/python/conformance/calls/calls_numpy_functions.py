"""Reductions, creation, indices, sorting, sets, text and dates of numpy."""
import numpy as np

_random = np.random.RandomState(7)
SPACE = {
    "np": np,
    "I": {name: _random.randint(0, 100, 40).astype(name) for name in ["int8", "int16", "int32", "int64", "uint8", "uint32", "uint64"]},
    "F": {name: _random.randn(40).astype(name) for name in ["float32", "float64"]},
    "B": _random.rand(40) > 0.5,
    "S": np.array(["pear", "Apple", "fig", "Äpfel", "", "quince ", "apple", "日本"]),
    "D": np.array(["2024-01-31", "2023-02-28", "NaT", "1969-12-31", "2262-04-11"], "datetime64[D]"),
    "BIG": np.array([2**31, 2**40, 2**53 + 1, 3, -2**33], "int64"),
    "M": _random.randint(-50, 50, (6, 7)),
    "C": _random.randn(8) + 1j * _random.randn(8),
}
SPACE["ARRAYS"] = {**SPACE["I"], **SPACE["F"], "bool": SPACE["B"]}

REDUCTIONS = ["sum", "prod", "cumsum", "cumprod", "min", "max", "argmin", "argmax", "ptp", "all", "any", "count_nonzero",
              "nansum", "nanprod", "nanmax", "nanargmin", "nancumsum", "diff", "median", "flatnonzero"]
ROUNDED = ["mean", "std", "var", "average", "nanmean", "nanstd", "trapezoid", "gradient"]
INDICES = ["argsort", "nonzero", "argwhere", "unique", "sort", "flip", "digitize", "bincount"]

FREE = """
np.arange(5)|np.arange(2**31 - 2, 2**31 + 3)|np.arange(2**53, 2**53 + 4)|np.arange(3, dtype='uint8')|np.arange(0, 10, 3)
np.arange(2.5)|np.arange(np.int32(4))|np.arange(np.uint64(4))|np.zeros(3, int)|np.ones(3, 'uint')|np.full(2, 2**40)|np.full(2, 7)
np.array([1, 2])|np.array(2**40)|np.array([2**63])|np.array([2**64])|np.array([True, 2])|np.array([1, 2.5])|np.array([[]])
np.array([1, None])|np.array(['a', 1])|np.int_(3)|np.intp(3)|np.uint(3)|np.long(3)|np.ulong(3)|np.longlong(3)|np.intc(3)
np.dtype(int)|np.dtype('i')|np.dtype('l')|np.dtype('L')|np.dtype('p')|np.dtype('P')|np.dtype('q')|np.dtype('n')|np.dtype('N')
np.dtype(int).itemsize|np.dtype('l').itemsize|np.dtype('p').itemsize|np.dtype('g').itemsize|np.dtype('O').itemsize
np.iinfo(int).max|np.iinfo(np.intp).max|np.iinfo('l').max|np.result_type(int, 'int32')|np.result_type('int32', 'uint32')
np.promote_types('int64', 'uint64')|np.min_scalar_type(2**40)|np.min_scalar_type(-1)|np.can_cast('int64', 'intp')
np.can_cast('intp', 'int32')|np.common_type(np.arange(2))|np.indices((2, 3))|np.mgrid[0:3, 0:2]|np.ogrid[0:2, 0:2]
np.tril_indices(3)|np.triu_indices_from(np.ones((3, 3)))|np.diag_indices(3)|np.ix_([0, 2], [1])|np.unravel_index([5, 7], (3, 4))
np.ravel_multi_index(([1, 2], [0, 3]), (3, 4))|np.searchsorted([1, 3, 5], 4)|np.searchsorted([1, 3, 5], [0, 3, 9], side='right')
np.argsort([3, 1, 2]) * 2**31|np.where([True, False, True])|np.where([1, 0, 3], 2**40, -1)|np.where(B, 1, 2)|np.where(B, 1.5, 2)
np.nonzero([[0, 3], [4, 0]])|np.argwhere([[0, 3], [4, 0]])|np.argmax([1, 5, 2])|np.lexsort(([1, 2, 1], [3, 3, 0]))
np.unique([3, 1, 3, 2], return_index=True, return_inverse=True, return_counts=True)|np.unique(S)|np.unique(M, axis=0)
np.unique_all([2, 1, 2])|np.unique_counts([2, 1, 2])|np.unique_inverse([2, 1, 2])|np.intersect1d([1, 2, 3], [2, 3, 4], return_indices=True)
np.isin([1, 2, 2**40], [2**40])|np.setdiff1d([1, 2, 3], [2])|np.union1d([2**33], [1])|np.digitize([0.5, 2, 9], [1, 2, 3])
np.bincount([0, 1, 1, 5])|np.bincount([1, 2], weights=[0.5, 2])|np.bincount([], minlength=3)|np.histogram([1, 2, 2, 9], bins=3)
np.histogram2d([1, 2], [3, 4], bins=2)|np.histogram_bin_edges([1, 2, 3, 9], 'auto')|np.repeat([1, 2], 3)|np.repeat([1, 2], [2, 0])
np.repeat(2**40, 3)|np.repeat([[1, 2]], np.int64(2), axis=0)|np.take([4, 5, 6], [0, 2])|np.take([4, 5], 5, mode='clip')
np.take([4, 5, 6], np.array([2**12]), mode='wrap')|np.take([4, 5], 7)|np.take(M, [1, 2], axis=1)|np.choose([0, 1, 0], [[1, 2, 3], [4, 5, 6]])
np.take_along_axis(M, np.argsort(M, axis=1), axis=1)|np.argsort(M).dtype|np.compress([True, False], [1, 2])|np.extract(B, np.arange(40))
np.insert([1, 2], 1, 2**40)|np.delete([1, 2, 3], [0, 2])|np.append([1], 2**40)|np.roll(np.arange(5), 2)|np.rot90(M)
np.power(2, 40)|np.power(2, np.arange(62, 64))|np.left_shift(1, 40)|np.floor_divide(2**40, 3)|np.remainder(2**40, 7)|np.multiply(2**31, 2)
np.bitwise_or(2**40, 1)|np.gcd(2**40, 2**33)|np.lcm(2**20, 3**15)|np.divmod(2**40, 7)|np.power(2, 63)|np.power(2, -1)|np.power(2.0, 40)
np.sum([2**31, 2**31])|np.sum([2**53, 1])|np.prod([2**31, 2**31])|np.prod(np.arange(1, 21))|np.cumprod(np.arange(1, 22))|np.sum(BIG)
np.prod(BIG)|np.sum([True] * 5)|np.sum(I['int32'] * 2**25)|np.sum(np.full(3, 2**31 - 1, 'int32'))|np.sum(np.full(3, 255, 'uint8'))
np.cumsum(np.full(3, 2**31 - 1, 'int32'))|np.dot([2**31, 1], [2, 3])|np.dot(I['int32'], I['int32'])|np.inner(BIG, BIG)|np.vdot(BIG, BIG)
np.outer([2**20, 2], [2**20, 3])|np.matmul(M, M.T)|np.tensordot(M, M, axes=([0, 1], [0, 1]))|np.einsum('ij,ij->i', M, M)|np.kron([1, 2**31], [4])
np.trace(M)|np.cross([1, 2, 3], [4, 5, 6])|np.convolve([1, 2, 3], [0, 1])|np.correlate([1, 2, 3], [0, 1])|np.polyfit([0, 1, 2], [1, 3, 5], 1).round(9)
np.polyval([1, 2, 3], 2**20)|np.interp([1.5], [1, 2], [3, 4])|np.clip([1, 2**40], 0, 2**33)|np.round([1.5, 2.5, -0.5])|np.round(12345, -2)
np.around([1.2345], 2)|np.floor([2.7]).astype(int)|np.rint(2.5)|np.fix(-2.5)|np.sign([-2, 0, 3])|np.abs(np.int64(-2**63))|np.mod(-7, 3)|np.fmod(-7, 3)
np.packbits([1, 0, 1])|np.unpackbits(np.array([7], 'uint8'))|np.base_repr(2**40, 16)|np.binary_repr(-3, 8)|np.array_split(np.arange(7), 3)
np.meshgrid([1, 2], [3])|np.linspace(0, 1, 5)|np.linspace(0, 10, 5, dtype=int)|np.logspace(0, 3, 4).round(9)|np.geomspace(1, 1000, 4).round(9)
np.eye(2, dtype=int)|np.identity(2)|np.tri(3)|np.vander([1, 2, 3])|np.fromiter(range(4), int)|np.frombuffer(b'abcdefgh', 'int64')
np.fromstring('1 2 3', sep=' ', dtype=int)|np.loadtxt(['1 2', '3 4'])|np.loadtxt(['1,2', '3,4'], delimiter=',', dtype=int)
np.genfromtxt(['1,2', '3,x'], delimiter=',')|np.genfromtxt(['a,b', '1,2'], delimiter=',', names=True, dtype=None)|np.array2string(BIG)
repr(BIG)|str(M)|repr(np.arange(3))|repr(np.argsort([2, 1]))|repr(np.int64(3))|repr(np.float32(0.1))|repr(np.array(['a']))|repr(D)|repr(C.round(2))
np.size(M)|np.shape(M)|np.ndim(M)|np.arange(3).itemsize|np.arange(3).nbytes|np.arange(6).reshape(2, 3).strides|hash(np.int64(7))|hash(np.int64(2**40))
hash(np.float64(0.5))|hash(np.float64(1e300))|int(np.int64(2**40))|np.int64(2**40).item()|np.arange(3).tolist()|np.int64(5).bit_count()
np.random.seed(1)|np.random.RandomState(1).randint(0, 2**40, 3)|np.random.RandomState(1).randint(10, size=5)|np.random.RandomState(1).permutation(6)
np.random.RandomState(1).choice(5, 3)|np.random.RandomState(1).binomial(10, 0.5, 5)|np.random.RandomState(1).poisson(5, 5)|np.random.RandomState(3).random_sample(4)
np.random.RandomState(1).normal(size=5)|np.random.RandomState(1).multinomial(10, [0.3, 0.7])|np.random.RandomState(1).geometric(0.3, 4)
np.random.RandomState(1).zipf(3, 4)|np.random.RandomState(1).hypergeometric(5, 5, 4, 3)|np.random.RandomState(1).negative_binomial(5, 0.5, 4)
np.random.RandomState(1).tomaxint(3)|np.random.RandomState(1).random_integers(5, size=2)|np.random.RandomState(1).get_state()[0]
np.random.default_rng(1).integers(0, 2**40, 3)|np.random.default_rng(1).integers(10, size=5)|np.random.default_rng(1).permutation(6)|np.random.default_rng(1).random(4)
np.random.default_rng(1).choice(10, 4, replace=False)|np.random.default_rng(1).normal(size=5)|np.random.default_rng(1).binomial(10, 0.5, 5)
np.random.default_rng(1).poisson(5, 5)|np.random.default_rng(1).standard_gamma(2, 4)|np.random.default_rng(1).multinomial(10, [0.3, 0.7])
np.random.default_rng(1).shuffle(np.arange(4))|np.random.default_rng(1).integers(0, 255, 4, dtype='uint8')|np.random.default_rng(1).zipf(2.5, 4)
np.random.default_rng(1).multivariate_hypergeometric([3, 5], 4)|np.random.default_rng(1).exponential(size=4)|np.random.default_rng(1).dirichlet([1, 2])
np.char.upper(S)|np.char.find(S, 'p')|np.char.count(S, 'p')|np.char.str_len(S)|np.char.add(S, '!')|np.char.strip(S)|np.char.replace(S, 'p', 'b')
np.strings.find(S, 'e')|np.strings.str_len(S)|np.strings.startswith(S, 'A')|np.strings.index(S[:1], 'e')|np.strings.rindex(S[:1], 'r')|np.strings.zfill(S, 6)
np.char.multiply(S, 2)|np.char.center(S, 8)|np.char.split(S)|np.char.encode(S, 'utf-8')|np.char.isdigit(S)|np.sort(S)|np.argsort(S)|S == 'fig'|S.astype('S20', errors='x')
np.sort(D)|np.argsort(D)|D + np.timedelta64(1, 'D')|D - D[0]|D.astype('datetime64[M]')|D.astype('int64')|D.astype('datetime64[ns]')|np.isnat(D)|D.min()|np.diff(D)
np.busday_count('2024-01-01', '2024-02-01')|np.busday_offset('2024-01-06', 1, roll='forward')|np.is_busday(['2024-01-06'])|np.datetime_as_string(D)
np.datetime64('2024-02-30')|np.datetime64('2024-02-29T12:34:56.789')|np.timedelta64(5, 'm') / np.timedelta64(1, 's')|np.timedelta64(7, 's') // 2
np.linalg.det([[1, 2], [3, 4]]).round(9)|np.linalg.inv([[1, 2], [3, 5]]).round(9)|np.linalg.matrix_power([[1, 1], [1, 0]], 80)|np.linalg.norm([3, 4])
np.linalg.solve([[2, 0], [0, 4]], [2, 4])|np.linalg.matrix_rank(M)|np.linalg.inv([[1, 2], [2, 4]])|np.linalg.eigvalsh([[2, 0], [0, 3]])|np.fft.fftfreq(5)
np.fft.fft([1, 2, 3, 4])|np.fft.ifft([1, 2, 3, 4])|np.fft.fftshift(np.arange(5))|np.ma.array([1, 2, 3], mask=[0, 1, 0]).sum()|np.ma.masked_greater([1, 5], 2)
np.ma.array([1, 2**40], mask=[0, 1]).cumsum()|np.rec.array([(1, 'a')], dtype=[('x', int), ('y', 'U1')])|np.zeros(2, dtype=[('a', int), ('b', float)])
np.array([(1, 2.5)], dtype='i8,f4')|np.lib.stride_tricks.sliding_window_view(np.arange(5), 2)|np.broadcast_to([1, 2], (2, 2))|np.pad([1, 2], 2, mode='reflect')
np.zeros((2**20, 2**20))|np.arange(2**40)|np.ones(2**62)|np.reshape(np.arange(4), (2**40, -1))|np.arange(5)[2**40]|np.arange(5)[[0, 2**40]]
np.arange(5)[np.array([2**32])]|np.arange(5)[2**32:]|np.arange(5)[-2**40:2]|np.arange(5)[2**64]|[1, 2, 3][np.int64(1)]|list(range(5))[np.argmax([1, 3])]
np.repeat([1], 2**40)|np.tile([1, 2], 2)|np.tile(1, (2**20, 2**20))|np.resize([1, 2], 5)|np.split(np.arange(4), [1, 3])|np.ediff1d(BIG)|np.nan_to_num([np.nan, np.inf])
np.vectorize(lambda x: x * 2)(np.arange(3))|np.apply_along_axis(sum, 0, M)|np.frompyfunc(lambda a: a + 1, 1, 1)([2**40])|np.piecewise([1., 5.], [B[:2]], [9])
np.percentile(np.arange(10), 30)|np.quantile([1, 2, 3, 4], [0.1, 0.5])|np.percentile([1, 2, 3], 50, method='lower')|np.cov(M)|np.corrcoef([1, 2, 3], [2, 4, 7])
np.add.reduce([2**31, 2**31])|np.add.accumulate(BIG)|np.multiply.outer([1, 2**31], [2**31, 3])|np.add.reduceat(np.arange(8), [0, 4])|np.maximum.reduce(BIG)
"""


def calls():
    for name in REDUCTIONS + ROUNDED:
        for dtype in SPACE["ARRAYS"]:
            ulps = 4 if dtype == "float64" else 4 << 29 if dtype == "float32" else 4 if name in ROUNDED else 0
            exact = name in ("min", "max", "argmin", "argmax", "all", "any", "count_nonzero", "flatnonzero", "diff")
            yield f"np.{name}(ARRAYS['{dtype}'])", 0 if exact else ulps
    for name in ["sum", "prod", "mean", "cumsum", "argmax", "any", "max", "std", "median"]:
        for axis in ["0", "1", "None", "-1"]:
            yield f"np.{name}(M, axis={axis})", 4
    for name in INDICES:
        for dtype in SPACE["ARRAYS"]:
            yield f"np.{name}(ARRAYS['{dtype}']{', [10, 50]' if name == 'digitize' else ', kind="stable"' if 'sort' in name else ''})", 0
    for dtype in SPACE["ARRAYS"]:
        yield f"np.searchsorted(np.sort(ARRAYS['{dtype}']), ARRAYS['{dtype}'][:5])", 0
        yield f"np.unique(ARRAYS['{dtype}'], return_index=True, return_inverse=True, return_counts=True)", 0
        yield f"np.where(ARRAYS['{dtype}'] > 1)", 0
        yield f"np.repeat(ARRAYS['{dtype}'][:4], [1, 0, 2, 1])", 0
        yield f"np.take(ARRAYS['{dtype}'], [0, -1, 5])", 0
        yield f"np.argpartition(ARRAYS['{dtype}'], 5).dtype", 0
        yield f"np.partition(ARRAYS['{dtype}'], 5)[5]", 0
        yield f"np.histogram(ARRAYS['{dtype}'], bins=4)", 4 << 29
        yield f"np.power(ARRAYS['{dtype}'][:6], 2)", 0
        yield f"np.sort(ARRAYS['{dtype}'])[::-1]", 0
        yield f"ARRAYS['{dtype}'].tolist()", 0
        yield f"ARRAYS['{dtype}'].tobytes()", 0
        yield f"np.cumsum(ARRAYS['{dtype}'], dtype='int64')", 0
        yield f"np.result_type(ARRAYS['{dtype}'], 5)", 0
        yield f"ARRAYS['{dtype}'] * 2**31 if '{dtype}'[-2:] in ('64', 'ol') else ARRAYS['{dtype}'] * 2", 0
    for line in FREE.strip().splitlines():
        for call in line.split("|"):
            if call.startswith(("np.cov(", "np.corrcoef(")):
                yield call, 16  # sums of products whose terms cancel, in BLAS's order
                continue
            yield call, 4 if any(word in call for word in ("linalg", "fft", "normal", "gamma", "exponential", "dirichlet", "geomspace")) else 0
