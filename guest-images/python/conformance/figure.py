"""A first figure, saved: what a person who asks for a chart waits for."""
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402

frame = pd.DataFrame({"month": list(range(1, 13)), "sales": [3, 5, 4, 6, 8, 7, 9, 12, 10, 11, 13, 15]})
frame.plot(x="month", y="sales", title="Sales")
plt.savefig("sales.png")
plt.close("all")
