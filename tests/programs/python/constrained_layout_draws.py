import matplotlib.pyplot as plt
import numpy as np

fig, axes = plt.subplots(2, 2, constrained_layout=True)
for ax in axes.flat:
    ax.plot(np.arange(10) ** 2)
    ax.set_title("squares")
fig.colorbar(axes[0, 0].scatter([1, 2], [1, 2], c=[1, 2]), ax=axes[:, 1])
fig.savefig("constrained.png")
plt.close(fig)
fig = plt.figure(layout="tight")
fig.add_subplot().hist([1, 2, 2, 3])
fig.savefig("tight.png")
plt.close(fig)
