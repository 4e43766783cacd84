import pandas as pd
pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_excel("t.xlsx", index=False)
print(pd.read_excel("t.xlsx").to_dict("list"))
