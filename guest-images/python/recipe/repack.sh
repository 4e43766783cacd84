#!/usr/bin/env bash
# Make the image's files from earlier ones, without compiling C: adapt the module, repack the library, write the digests.
#
# usage: repack.sh BASE WORK    BASE holds python.wasm.zst, python-lib.zip and mpl-data.tar.zst (lock.toml, [[base]], or the
#                               image's own folder); WORK is a folder for what comes between
# needs: python3.13 as $PYTHON, with pip; zstd
set -euo pipefail
base=$(cd "$1" && pwd)
mkdir -p "$2/wheels" "$2/py"
work=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3.13}

echo "== module: adapt signatures"
zstd -dqf "$base/python.wasm.zst" -o "$work/base.wasm"
"$python" "$here/mend_devnull.py" "$work/base.wasm" "$work/mended.wasm"
"$python" "$here/adapt_signatures.py" "$work/mended.wasm" "$work/python.wasm" > "$work/adapted.txt"
tail -n 1 "$work/adapted.txt"

echo "== library: add wheels and the guest side"
"$python" -m pip download -q --no-deps --require-hashes --only-binary :all: --python-version 3.13 \
  --platform manylinux2014_x86_64 -d "$work/wheels" -r "$here/wheels.txt"
"$python" -W ignore "$here/mkzip.py" "$base/python-lib.zip" "$work/python-lib.zip" "$work"/wheels/*.whl
cp "$base/mpl-data.tar.zst" "$work/"

echo "== a folder for host.py: $work"
cp "$work/python-lib.zip" "$work/py/"
tar --zstd -xf "$work/mpl-data.tar.zst" -C "$work/py"

echo "== seal"
"$python" "$here/seal.py" "$work"
