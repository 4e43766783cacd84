import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

plt.hist([1, 1, 2, 3], bins=[0.5, 1.5, 2.5, 3.5], histtype="step")
plt.show()
sns.heatmap(pd.DataFrame([[1, 2], [3, 4]], index=["a", "b"], columns=["x", "y"]))
plt.show()
plt.fill_between([1, 2, 3], [4, 5, 6])
plt.show()
frame = pd.DataFrame({"k": ["a", "a", "b", "b"], "s": ["x", "y", "x", "y"], "v": [1, 2, 3, 4]})
frame.pivot(index="k", columns="s", values="v").plot(kind="bar", stacked=True)
plt.show()
frame.groupby("k")["v"].sum().plot(kind="barh")
plt.show()
plt.errorbar([1, 2], [3, 4], yerr=[0.5, 0.25])
plt.show()
sns.boxplot(data=frame, x="k", y="v")
plt.show()
plt.pie([1, 3], labels=["a", "b"])
plt.show()
