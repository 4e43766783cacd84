#!/usr/bin/env bash
# Make the image's files from earlier ones, without compiling C: adapt the module, repack the library, write the digests.
#
# usage: repack.sh BASE WORK    BASE holds python.wasm.zst, library.tar.zst and mpl-data.tar.zst (the image's own folder, or
#                               an earlier state of it); WORK is a folder for what comes between
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
  --platform manylinux2014_x86_64 --platform manylinux_2_28_x86_64 --platform any -d "$work/wheels" -r "$here/wheels.txt"
rm -rf "$work/base" && mkdir "$work/base"
tar --zstd -xf "$base/library.tar.zst" -C "$work/base"
mv "$work/base/site" "$work/base/tree"
"$python" -m zipfile -e "$work/base/python-lib.zip" "$work/base/tree"
"$python" -W ignore "$here/mkzip.py" "$work/base/tree" "$work/library.tar" "$work"/wheels/*
zstd -19 -T1 --long=27 -qf "$work/library.tar" -o "$work/library.tar.zst"

echo "== fonts"
rm -rf "$work/mpl-data" && tar --zstd -xf "$base/mpl-data.tar.zst" -C "$work"
"$python" "$here/fonts.py" "$work" "$work/mpl-data"
tar --sort=name --format=gnu --mtime=@1735689600 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf "$work/mpl-data.tar" -C "$work" mpl-data
zstd -19 -qf "$work/mpl-data.tar" -o "$work/mpl-data.tar.zst"

echo "== a folder for host.py: $work"
rm -rf "$work/py/site"
for part in mpl-data library; do tar --zstd -xf "$work/$part.tar.zst" -C "$work/py"; done

echo "== seal"
zstd -19 -qf "$work/python.wasm" -o "$work/python.wasm.zst"
"$python" "$here/seal.py" "$work/python.wasm" "$work/python.wasm.zst" "$work/library.tar.zst" "$work/mpl-data.tar.zst"
