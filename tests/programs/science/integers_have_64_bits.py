"""Sums, products, powers, ranges and positions do not wrap at 32 bits, and have the types that they have natively."""
import numpy as np
import pandas as pd

big = np.array([2**31 - 1, 2**31 - 1])
assert big.dtype == np.int64 and big.sum() == 2**32 - 2 and big.prod() == (2**31 - 1) ** 2
assert np.power(2, 40) == 2**40 and np.left_shift(1, 40) == 2**40 and np.floor_divide(2**40, 2) == 2**39
assert np.arange(3).dtype == np.int_ == np.intp == np.int64
for positions in (np.argsort(big), np.where(big > 0)[0], np.searchsorted(big, 1), np.nonzero(big)[0], np.bincount([1, 2]),
                  np.unique(big, return_inverse=True)[1], np.argmax(big), np.random.default_rng(1).integers(0, 9, 3), np.repeat(5, 3)):
    assert np.asarray(positions).dtype == np.int64, positions
assert int(np.searchsorted(np.arange(70_000), 69_999) ** 2) == 69_999**2
assert np.take(big, np.array([0, 1], dtype=np.int64)).tolist() == big.tolist()

frame = pd.DataFrame({'key': ['a', 'b', 'a'], 'n': [2**31, 1, 2**31]})
assert frame.groupby('key').n.sum().to_dict() == {'a': 2**32, 'b': 1} and frame.groupby('key').n.sum().dtype == np.int64
assert pd.crosstab(frame.key, frame.n).to_numpy().dtype == np.int64
assert pd.factorize(frame.key)[0].dtype == np.int64 and frame.groupby('key').size().dtype == np.int64
assert frame.n.cumsum().iloc[-1] == 2**32 + 1
try:
    np.zeros(2**33)
except MemoryError as error:
    print('MemoryError:', error)
print('whole')
