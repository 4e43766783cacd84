import numpy as np
import pandas as pd

big = pd.DataFrame(np.arange(300_000).reshape(-1, 3), columns=list("abc"))
display(big)
display(big["a"])
display(big.index)
display(big.style)
display("x" * 10_000_000)
display(np.zeros((1000, 1000)))
