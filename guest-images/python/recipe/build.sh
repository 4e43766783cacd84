#!/usr/bin/env bash
# The full build: from sources to python.wasm, python-lib.zip and mpl-data.tar.zst. About 12 minutes on two cores.
#
# usage: build.sh DIR [STEP…]       without steps all of them, in this order:
#   tools sources compiler libcxx zlib cpython numpy extensions pandas link library seal
# needs: python3.13, zstd, patch, make; about 6 GB in DIR
#
# The steps were run one by one, by hand, when the image's base was built; this file has not been run as a whole since it
# was put together. Every step can be run again by itself.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$1"
here=$(cd "$(dirname "$0")" && pwd)
IMAGE_BUILD_DIR=$(cd "$1" && pwd)
IMAGE_OBJ=${IMAGE_OBJ:-obj}
export IMAGE_BUILD_DIR IMAGE_OBJ
shift
build=$IMAGE_BUILD_DIR objects=$IMAGE_BUILD_DIR/$IMAGE_OBJ compile=$here/compile
jobs=${J:-2}
zig=$build/venv/lib/python3.13/site-packages/ziglang
export ZIGDIR=$zig ZIG_GLOBAL_CACHE_DIR=$build/zigcache ZIG_LOCAL_CACHE_DIR=$build/zigcache
export PATH=$build/venv/bin:$build/tc/bin:$PATH
mkdir -p "$objects" "$build/src" "$build/downloads"

tools() {
  python3.13 -m venv "$build/venv"
  pip install -q ziglang==0.15.2 'cython<3.2' meson meson-python ninja pybind11 wasmtime versioneer cppy==1.3.1 \
    numpy==2.3.5 pandas==2.3.3 matplotlib==3.10.9 kiwisolver==1.5.1
}

# Sources on a registry are fetched and checked. The others must be put into DIR/downloads by hand; names are printed.
sources() {
  pip download -q --no-deps --no-binary :all: --no-build-isolation --require-hashes -d "$build/downloads" -r "$here/sdists.txt" \
    || echo "pip could not read a source's metadata: fetch what is missing below by hand and check it against sdists.txt"
  local missing=0 name
  for name in Python-3.13.15 freetype-2.12.1 qhull-2020.2 zlib-1.3.2 numpy-2.3.5 pandas-2.3.3 matplotlib-3.10.9 \
    pillow-12.3.0 contourpy-1.4.0 kiwisolver-1.5.1; do
    [ -d "$build/src/$name" ] && continue
    local archive
    archive=$(find "$build/downloads" -name "$name.t*" | head -n 1)
    if [ -z "$archive" ]; then
      echo "missing: $name (a source archive of that name; CPython from python.org, the C libraries from Debian's source packages)"
      missing=1
      continue
    fi
    tar -xf "$archive" -C "$build/src"
  done
  [ $missing = 0 ] || exit 1
  echo "now apply patches/ (see patches/README.md) to src/, once"
}

compiler() {
  mkdir -p "$build/tc/bin" "$build/tc/lib" "$build/tc/cxxinc"
  echo 'int main(void) { return 0; }' > "$build/empty.c"
  # A first link makes zig build its libc, whose archives are then taken from the cache.
  "$zig/zig" cc -target wasm32-wasi -O2 "$build/empty.c" -o "$build/empty.wasm" \
    -lwasi-emulated-signal -lwasi-emulated-mman -lwasi-emulated-process-clocks -lwasi-emulated-getpid
  find "$build/zigcache/o" \( -name libc.a -o -name libcompiler_rt.a -o -name libzigc.a -o -name crt1-command.o \) \
    -exec cp {} "$build/tc/lib/" \;
  cp "$compile/wcc" "$build/tc/bin/wcc"
  ln -sf wcc "$build/tc/bin/w++"
  printf '#!/bin/sh\nexec "%s/zig" ar "$@"\n' "$zig" > "$build/tc/bin/war"
  printf '#!/bin/sh\nexec "%s/zig" ranlib "$@"\n' "$zig" > "$build/tc/bin/wranlib"
  printf '#!/bin/sh\nexit 0\n' > "$build/tc/bin/wstrip"
  chmod +x "$build"/tc/bin/*
  cp "$compile/config_site.h" "$build/tc/cxxinc/__config_site"
  cp "$compile/threadshim.h" "$build/tc/cxxinc/"
  sed "s#@BUILD@#$build#g" "$compile/wasi.cross" > "$build/tc/wasi.cross"
  wcc -O2 -mexception-handling -c "$compile/setjmp_rt.c" -o "$objects/setjmp_rt.o"
  war rcs "$build/tc/lib/libsetjmp.a" "$objects/setjmp_rt.o"
}

libcxx() { bash "$compile/build_libcxx.sh"; }

zlib() {
  mkdir -p "$build/deps/lib" "$build/deps/include" "$objects/zlib"
  local source
  for source in "$build"/src/zlib-1.3.2/*.c; do
    wcc -O2 -w -DHAVE_UNISTD_H -c "$source" -o "$objects/zlib/$(basename "$source" .c).o"
  done
  war rcs "$build/deps/lib/libz.a" "$objects"/zlib/*.o
  cp "$build"/src/zlib-1.3.2/{zlib,zconf}.h "$build/deps/include/"
}

cpython() {
  mkdir -p "$objects/py" "$build/wasmpy/include/python3.13"
  (
    cd "$objects/py"
    export CC=wcc CXX=w++ AR=war RANLIB=wranlib HOSTRUNNER=true PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=/nonexistent
    export ZLIB_CFLAGS="-I$build/deps/include" ZLIB_LIBS="-L$build/deps/lib -lz"
    export CONFIG_SITE=$build/src/Python-3.13.15/Tools/wasm/config.site-wasm32-wasi
    "$build/src/Python-3.13.15/configure" --host=wasm32-unknown-wasip1 --build=x86_64-pc-linux-gnu \
      --with-build-python="$(command -v python3.13)" --prefix=/usr/local --disable-test-modules --without-ensurepip \
      OPT="-O2 -g0 -DNDEBUG" CFLAGS=""
    # Its own link fails; the archives libpython3.13.a, libmpdec.a, libexpat.a and libHacl_Hash_SHA2.a are what is wanted.
    make -k -j"$jobs" python.wasm || true
    for archive in libpython3.13.a Modules/_hacl/libHacl_Hash_SHA2.a Modules/_decimal/libmpdec/libmpdec.a Modules/expat/libexpat.a; do
      [ -s "$archive" ] || { echo "CPython's $archive was not built" >&2; exit 1; }
    done
  )
  cp -r "$build"/src/Python-3.13.15/Include/* "$objects/py/pyconfig.h" "$build/wasmpy/include/python3.13/"
}

numpy() {
  export WCC_PKG=
  (cd "$build/src/numpy-2.3.5" && python vendored-meson/meson/meson.py setup "$objects/numpy" --cross-file "$build/tc/wasi.cross" \
    -Dbuildtype=release -Db_ndebug=true -Dallow-noblas=true -Dblas=none -Dlapack=none -Ddisable-optimization=true \
    -Ddisable-svml=true -Ddisable-highway=true -Ddisable-intel-sort=true -Ddisable-threading=true)
  WCC_OPT=-O3 J=$jobs bash "$compile/build_numpy.sh"
  unset WCC_PKG
}

extensions() { OPT=-O2 J=$jobs python "$compile/build_ext.py" pil mpl; }

pandas() {
  export OPT=-O2 J=$jobs
  python "$compile/pandas_gen.py" gen
  python "$compile/pandas_intp.py" "$objects"/pandas/*.c "$objects"/pandas/tslibs/*.c
  python "$compile/pandas_gen.py" cc
}

link() {
  wcc -O2 -w -c "$compile/stubs.c" -o "$objects/stubs.o"
  mkdir -p "$build/out/py"
  python "$compile/link.py" "$build/out/linked.wasm" numpy ext pandas
  python "$here/adapt_signatures.py" "$build/out/linked.wasm" "$build/out/python.wasm"
}

library() {
  mkdir -p "$build/wheels"
  local list
  for list in wheels-base.txt wheels.txt; do
    pip download -q --no-deps --require-hashes --only-binary :all: --python-version 3.13 --platform manylinux2014_x86_64 \
      -d "$build/wheels" -r "$here/$list"
  done
  python "$here/stage.py" "$build/src" "$build/venv/lib/python3.13/site-packages" "$build/out/stage.zip" "$build/out/mpl-data.tar"
  python -W ignore "$here/mkzip.py" "$build/out/stage.zip" "$build/out/python-lib.zip" "$build"/wheels/*.whl
  zstd -19 -q -f "$build/out/mpl-data.tar" -o "$build/out/mpl-data.tar.zst"
}

seal() { python "$here/seal.py" "$build/out"; }

[ $# -gt 0 ] || set -- tools sources compiler libcxx zlib cpython numpy extensions pandas link library seal
for step in "$@"; do
  echo "== $step"
  # The C library's parts are compiled for plain wasm, everything of Python's with SIMD.
  case $step in compiler | libcxx | zlib) export WCC_EXTRA= ;; *) export WCC_EXTRA=-msimd128 ;; esac
  "$step"
done
