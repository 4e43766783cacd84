#!/usr/bin/env python3
"""Builds the Python image from its sources: python.wasm.zst, library.tar.zst and mpl-data.tar.zst.

usage: build.py DIR [STEP…]      steps by name with those that they need; without names, all of them
       build.py --list

DIR keeps sources, objects and results (about 8 GB), so that a second build does only what has changed. Each source is
fetched by the digest in lock.toml. Needs Python 3.11 or newer with pip, a C compiler, make, patch, zstd.
"""
import ctypes
import os
import sys

sys.dont_write_bytecode = True
if sys.version_info < (3, 11):
    raise SystemExit('build.py needs Python 3.11 or newer')
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver.lock import Problem, sources  # noqa: E402
from driver.step import RECIPE, Step  # noqa: E402

# Of personality(2).
ADDR_NO_RANDOMIZE = 0x0040000


def ordered(names):
    """The steps, each after those that it needs."""
    found, path = [], []

    def visit(name):
        if name in found:
            return
        if name in path:
            raise Problem(f'steps need each other: {" → ".join([*path, name])}')
        path.append(name)
        source = os.path.join(RECIPE, 'steps', name + '.py')
        if not os.path.exists(source):
            raise Problem(f'there is no step {name}; build.py --list shows them')
        space = {}
        with open(source) as file:
            for line in file:
                if line.startswith('NEEDS'):
                    exec(line, space)
                    break
        for need in space['NEEDS']:
            visit(need)
        path.pop()
        found.append(name)

    for name in names:
        visit(name)
    return found


def every():
    return sorted(name[:-3] for name in os.listdir(os.path.join(RECIPE, 'steps')) if name.endswith('.py'))


def keep_addresses():
    """Loads programs at the same addresses each time: LLVM orders some blocks of exception handling by those of its own data."""
    if ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE) < 0:
        print('the compiler cannot be run at fixed addresses here: the digests may be others', file=sys.stderr)


def main(arguments):
    keep_addresses()
    if '--list' in arguments:
        print('\n'.join(ordered(every())))
        return
    if not arguments or arguments[0].startswith('-'):
        raise SystemExit(__doc__)
    root = os.path.abspath(arguments[0])
    os.makedirs(root, exist_ok=True)
    steps, pinned = {}, sources()
    for name in ordered(arguments[1:] or every()):
        steps[name] = Step(name, root, pinned, steps)
    for step in steps.values():
        step.perform()


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except Problem as problem:
        raise SystemExit(f'error: {problem}') from None
