import numpy as np, pandas as pd
print(np.arange(100000).sum())
print((np.array([100000]) * 100000)[0])
print(pd.Series([2**31 - 1, 1]).sum(), pd.Series(range(100000)).cumsum().iloc[-1])
