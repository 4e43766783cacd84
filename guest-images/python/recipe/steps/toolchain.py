"""The cross compiler: clang of the ziglang wheel behind wcc and w++, the C library, libc++ with exceptions, setjmp."""
import glob
import os
import re
import shutil
import sys

NEEDS = []
SOURCES = ['ziglang']
FILES = ['recipe/compile/wcc', 'recipe/compile/config_site.h', 'recipe/compile/threadshim.h', 'recipe/compile/setjmp_rt.c']

# Parts of libc++ that need threads or a time zone database.
UNWANTED = re.compile(r'(legacy_|future|barrier|thread|shared_mutex|condition_variable|mutex|atomic|pstl|tz|time_zone)')
ABI = '''abort_message cxa_aux_runtime cxa_default_handlers cxa_demangle cxa_exception cxa_exception_storage cxa_guard cxa_handlers
 cxa_personality cxa_vector cxa_virtual fallback_malloc private_typeinfo stdlib_exception stdlib_new_delete stdlib_stdexcept
 stdlib_typeinfo'''.split()
EMULATED = ['signal', 'mman', 'process-clocks', 'getpid']


def script(path, text):
    with open(path, 'w') as file:
        file.write(text)
    os.chmod(path, 0o755)


def build(step):
    zig = os.path.join(step.source('ziglang'), 'ziglang')
    commands, libraries, headers = (os.path.join(step.out, name) for name in ('bin', 'lib', 'cxxinc'))
    for folder in (commands, libraries, headers):
        os.makedirs(folder)
    os.chmod(f'{zig}/zig', 0o755)
    os.symlink(os.path.relpath(zig, step.out), os.path.join(step.out, 'zig'))

    # A first link makes zig build its libc, whose archives are then taken from its cache.
    with open(os.path.join(step.work, 'empty.c'), 'w') as file:
        file.write('int main(void) { return 0; }\n')
    shutil.rmtree(os.path.join(step.root, 'zig-cache'), ignore_errors=True)
    step.run([f'{zig}/zig', 'cc', '-target', 'wasm32-wasi', '-O2', 'empty.c', '-o', 'empty.wasm',
              *(f'-lwasi-emulated-{name}' for name in EMULATED)])
    for name in ('libc.a', 'libcompiler_rt.a', 'libzigc.a', 'crt1-command.o'):
        found = glob.glob(os.path.join(step.root, 'zig-cache/o/*', name))
        shutil.copy(found[0], libraries)

    # The interpreter by its path: a search for it would cost more than many a file takes to compile.
    with open(step.recipe('compile/wcc')) as file:
        script(f'{commands}/wcc', file.read().replace('#!/usr/bin/env -S python3 -IS', f'#!{sys.executable} -IS', 1))
    os.symlink('wcc', f'{commands}/w++')
    script(f'{commands}/war', f'#!/bin/sh\nexec "{zig}/zig" ar "$@"\n')
    script(f'{commands}/wranlib', f'#!/bin/sh\nexec "{zig}/zig" ranlib "$@"\n')
    script(f'{commands}/wstrip', '#!/bin/sh\nexit 0\n')
    shutil.copy(step.recipe('compile/config_site.h'), f'{headers}/__config_site')
    shutil.copy(step.recipe('compile/threadshim.h'), headers)

    step.steps = {**step.steps, 'toolchain': step}
    archive(step, 'setjmp', step.compile([step.recipe('compile/setjmp_rt.c')], ['-mexception-handling'], 'setjmp', simd=False))
    cxx(step, zig + '/lib')


def archive(step, name, objects):
    step.run([f'{step.out}/bin/war', 'rcsD', f'{step.out}/lib/lib{name}.a', *objects])


def cxx(step, lib):
    flags = ['-std=c++23', '-DNDEBUG', '-D_LIBCPP_BUILDING_LIBRARY', '-D_LIBCXXABI_BUILDING_LIBRARY', '-DLIBCXX_BUILDING_LIBCXXABI',
             '-D_LIBCXXABI_HAS_NO_THREADS', '-DHAVE___CXA_THREAD_ATEXIT_IMPL', '-D_LIBCXXABI_DISABLE_VISIBILITY_ANNOTATIONS',
             '-D_LIBCPP_DISABLE_VISIBILITY_ANNOTATIONS', '-D_LIBCPP_REMOVE_TRANSITIVE_INCLUDES',
             '-DLIBC_NAMESPACE=__llvm_libc_common_utils',
             *(f'-I{lib}/{path}' for path in ('libcxx/src', 'libcxx/src/include', 'libcxx/libc', 'libcxxabi/src', 'libcxx/include'))]
    sources = [path for pattern in ('*.cpp', 'ryu/*.cpp', 'filesystem/*.cpp') for path in sorted(glob.glob(f'{lib}/libcxx/src/{pattern}'))]
    sources = [path for path in sources if not UNWANTED.match(os.path.relpath(path, f'{lib}/libcxx/src'))]
    archive(step, 'c++', step.compile(sources, flags, 'cxx', simd=False))
    archive(step, 'c++abi', step.compile([f'{lib}/libcxxabi/src/{name}.cpp' for name in ABI], flags, 'abi', simd=False))
    unwind = ['-fwasm-exceptions', '-DNDEBUG', '-D__USING_WASM_EXCEPTIONS__', '-D_LIBUNWIND_HAS_NO_THREADS',
              '-D_LIBUNWIND_HIDE_SYMBOLS', f'-I{lib}/libunwind/include']
    archive(step, 'unwind', step.compile([f'{lib}/libunwind/src/Unwind-wasm.c'], unwind, 'unwind', simd=False))
