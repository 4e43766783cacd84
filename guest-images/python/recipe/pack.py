#!/usr/bin/env python3
"""Compresses a file with the zstandard package, always to the same bytes.

usage: pack.py FILE TARGET | --version
"""
import sys

import zstandard

# The largest window that decoders take without being asked to.
WINDOW_LOG = 27


def main(source, target):
    parameters = zstandard.ZstdCompressionParameters.from_level(19, window_log=WINDOW_LOG, enable_ldm=True, threads=0)
    with open(source, 'rb') as file, open(target, 'wb') as out:
        data = file.read()
        out.write(zstandard.ZstdCompressor(compression_params=parameters).compress(data))


if __name__ == '__main__':
    if sys.argv[1:] == ['--version']:
        print(zstandard.__version__, '.'.join(map(str, zstandard.ZSTD_VERSION)))
    elif len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        raise SystemExit(__doc__)
