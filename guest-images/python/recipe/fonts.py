#!/usr/bin/env python3
"""Fonts beside matplotlib's own, for what DejaVu lacks: Chinese, Japanese, Korean, and emoji in one colour.

usage: fonts.py WORK MPL-DATA     fetches them and puts them into a folder of matplotlib's data
"""
import os
import shutil
import sys

from driver import fetch
from driver.lock import sources

# Source in lock.toml: (file in it, its name in the image). glovebox_guest/_fonts.py knows the families.
FONTS = {
    'fonts-wqy-microhei': ('wqy-microhei.ttc', 'wqy-microhei.ttc'),
    'noto-emoji': ('400Regular/NotoEmoji_400Regular.ttf', 'NotoEmoji-Regular.ttf'),
}


def main(work, data):
    pinned = sources()
    for key, (inside, name) in FONTS.items():
        folder = os.path.join(work, key)
        fetch.unpack(fetch.fetch(pinned[key], work), folder)
        shutil.copyfile(os.path.join(folder, inside), os.path.join(data, 'fonts/ttf', name))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
