"""Latin, Greek, Cyrillic, Chinese, Japanese, Korean and symbols are drawn by the default fonts, without a warning."""
import warnings

import matplotlib.pyplot as plt

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter('always')
    plt.bar(['Größe', 'μέγεθος', 'размер'], [1, 2, 3])
    plt.title('各国の人口 人口数据 인구 통계 😀 ✓')
    plt.savefig('scripts.png')
print([str(warning.message) for warning in told])
