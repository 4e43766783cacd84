import numpy as np
import matplotlib.pyplot as plt
rng = np.random.default_rng(1)
x, y = rng.random(30), rng.random(30)
ax = plt.figure().add_subplot(projection="3d")
ax.plot_trisurf(x, y, x * y)
plt.savefig("surface.png")
plt.close("all")
