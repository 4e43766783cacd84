"""wordcloud's only compiled part, in numpy: a free place for a word of a given size, or None."""
import numpy as np


def query_integral_image(integral_image, size_x, size_y, random_state):
    """A random one of the places where a rectangle covers nothing; places are counted row by row, as the original does."""
    grid = np.asarray(integral_image, dtype=np.uint32)
    height, width = grid.shape
    if size_x >= height or size_y >= width:
        return None
    covered = grid[:-size_x, :-size_y] + grid[size_x:, size_y:] - grid[:-size_x, size_y:] - grid[size_x:, :-size_y]
    free = np.flatnonzero(covered == 0)
    if not len(free):
        return None
    place = int(free[random_state.randint(0, len(free) - 1)])
    return divmod(place, covered.shape[1])
