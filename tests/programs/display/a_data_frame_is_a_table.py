import pandas as pd
pd.DataFrame({"species": ["Adelie", "Gentoo"], "mass": [3700.5, 5076.0]})
