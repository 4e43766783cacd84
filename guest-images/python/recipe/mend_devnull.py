#!/usr/bin/env python3
"""Mend the name of the null device in a module linked before build_ext.py was corrected.

usage: mend_devnull.py IN.wasm OUT.wasm

matplotlib's qhull wrapper turns MPL_DEVNULL into a string itself; given a quoted macro it opens `"/dev/null"`, quotes
included, and every triangulation fails. A module built with the present recipe does not hold that text and is copied
unchanged.
"""
import sys

from adapt_signatures import Module

WRONG, RIGHT = b'"/dev/null"\0', b'/dev/null\0\0\0'


def main():
    with open(sys.argv[1], 'rb') as f:
        module = Module(f.read())
    mended = 0
    for _, data in module.segments:
        at = data.find(WRONG)
        while at >= 0:
            data[at:at + len(WRONG)] = RIGHT
            mended += 1
            at = data.find(WRONG)
    print('%d names mended' % mended)
    with open(sys.argv[2], 'wb') as f:
        f.write(module.encode())


if __name__ == '__main__':
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main()
