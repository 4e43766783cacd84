#!/usr/bin/env bash
# libc++, libc++abi and the wasm part of libunwind, with exnref exceptions and without threads, from the ziglang wheel's sources.
set -euo pipefail
zig=${ZIGDIR:-$IMAGE_BUILD_DIR/venv/lib/python3.13/site-packages/ziglang}
tools=$IMAGE_BUILD_DIR/tc objects=$IMAGE_BUILD_DIR/build/cxx
mkdir -p "$objects"
flags=(-O2 -std=c++23 -w -DNDEBUG -D_LIBCPP_BUILDING_LIBRARY -D_LIBCXXABI_BUILDING_LIBRARY -DLIBCXX_BUILDING_LIBCXXABI
  -D_LIBCXXABI_HAS_NO_THREADS -DHAVE___CXA_THREAD_ATEXIT_IMPL -D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS
  -D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS -D_LIBCPP_REMOVE_TRANSITIVE_INCLUDES -DLIBC_NAMESPACE=__llvm_libc_common_utils
  -I"$zig/lib/libcxx/src" -I"$zig/lib/libcxx/src/include" -I"$zig/lib/libcxx/libc" -I"$zig/lib/libcxxabi/src" -I"$zig/lib/libcxx/include")
# What needs threads or a time zone database.
unwanted='^(legacy_|future|barrier|thread|shared_mutex|condition_variable|mutex|atomic|pstl|tz|time_zone)'

compile() { # SOURCE OBJECT
  [ -s "$2" ] || "$tools/bin/w++" "${flags[@]}" -c "$1" -o "$2" || echo "failed: $1"
}

rm -f "$tools"/lib/libc++.a "$tools"/lib/libc++abi.a "$tools"/lib/libunwind.a
cd "$zig/lib/libcxx/src"
for source in *.cpp ryu/*.cpp filesystem/*.cpp; do
  [[ $source =~ $unwanted ]] || compile "$source" "$objects/cxx_${source//\//_}.o"
done
cd "$zig/lib/libcxxabi/src"
for name in abort_message cxa_aux_runtime cxa_default_handlers cxa_demangle cxa_exception cxa_exception_storage cxa_guard \
  cxa_handlers cxa_personality cxa_vector cxa_virtual fallback_malloc private_typeinfo stdlib_exception stdlib_new_delete \
  stdlib_stdexcept stdlib_typeinfo; do
  compile "$name.cpp" "$objects/abi_$name.o"
done
cd "$zig/lib/libunwind/src"
"$tools/bin/wcc" -O2 -fwasm-exceptions -DNDEBUG -D__USING_WASM_EXCEPTIONS__ -D_LIBUNWIND_HAS_NO_THREADS -D_LIBUNWIND_HIDE_SYMBOLS \
  -I"$zig/lib/libunwind/include" -c Unwind-wasm.c -o "$objects/unw_wasm.o"
"$tools/bin/war" rcs "$tools/lib/libc++.a" "$objects"/cxx_*.o
"$tools/bin/war" rcs "$tools/lib/libc++abi.a" "$objects"/abi_*.o
"$tools/bin/war" rcs "$tools/lib/libunwind.a" "$objects"/unw_*.o
