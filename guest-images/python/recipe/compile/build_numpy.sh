#!/usr/bin/env bash
# numpy's 13 extension modules. mtrand's objects are compiled again with renamed symbols: they are the variants of the same
# functions for a 32-bit long, and a static link would silently take one for the other.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$IMAGE_BUILD_DIR/${IMAGE_OBJ:-obj}/numpy"
suffix=.cpython-313-x86_64-linux-gnu.so
targets=("numpy/_core/_multiarray_umath$suffix" "numpy/linalg/lapack_lite$suffix" "numpy/linalg/_umath_linalg$suffix"
  "numpy/fft/_pocketfft_umath$suffix")
for module in bit_generator _common _bounded_integers _mt19937 _philox _pcg64 _sfc64 _generator mtrand; do
  targets+=("numpy/random/$module$suffix")
done
export WCC_PKG=
ninja -j"${J:-2}" -k0 "${targets[@]}"
ninja -t compdb > compdb.json
python - "$here" <<'PYTHON'
import json, subprocess, sys
for entry in json.load(open('compdb.json')):
    command = entry['command']
    if '/mtrand.cpython' in entry['output'] and entry['output'].endswith('.o') and ' -c ' in command:
        subprocess.check_call(command.replace(' -c ', ' -include %s/mtrand_rename.h -c ' % sys.argv[1], 1), shell=True)
PYTHON
