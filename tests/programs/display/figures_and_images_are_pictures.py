import matplotlib.pyplot as plt
from PIL import Image

plt.bar(["a", "b"], [1, 2])
plt.title("bars")
plt.show()
plt.plot([1, 2, 3])
display(Image.new("RGB", (20, 10), "red"))
