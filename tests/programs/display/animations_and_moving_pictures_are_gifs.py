import matplotlib.pyplot as plt
from matplotlib.animation import FuncAnimation
from PIL import Image

fig, ax = plt.subplots(figsize=(2, 1))
line, = ax.plot([0, 1], [0, 1])
shown = FuncAnimation(fig, lambda frame: line.set_ydata([0, frame / 3]) or (line,), frames=3)
plt.show()

fig, ax = plt.subplots(figsize=(2, 1))
line, = ax.plot([0, 1], [0, 1])
saved = FuncAnimation(fig, lambda frame: line.set_ydata([0, frame / 3]) or (line,), frames=3)
saved.save("saved.gif", fps=5)

first, second = (Image.new("RGB", (20, 10), colour) for colour in ("red", "blue"))
first.save("moving.gif", save_all=True, append_images=[second], duration=100)
display(Image.open("moving.gif"))
