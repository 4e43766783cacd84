"""Links everything into python.wasm and adapts the signatures of the functions that Python calls."""
import os
import shutil

from driver import fetch
from driver.pack import pack

NEEDS = 'toolchain native packer zlib cpython numpy matplotlib pillow pandas stdlib compression text xml parquet scipy sklearn statsmodels'.split()
SOURCES = ['ziglang']
ALLOCATOR = 'recipe/patches/wasi-libc/10-allocator-wrap.diff'
FILES = [ALLOCATOR, 'recipe/compile/main.c', 'recipe/compile/stubs.c', 'recipe/adapt_signatures.py']
STACK = 16 * 1024 * 1024
# numpy's tests are not part of the image.
LEFT_OUT = ('._tests',)


def build(step):
    modules = [module for need in NEEDS for module in step.steps[need].registered() if not module['name'].endswith(LEFT_OUT)]
    modules.sort(key=lambda module: module['name'])
    table = os.path.join(step.work, 'modules.c')
    with open(table, 'w') as file:
        file.write('#include <Python.h>\nstruct ext_ent { const char *name; PyObject *(*init)(void); };\n')
        file.writelines(f'PyObject *{module["init"]}(void);\n' for module in modules)
        file.write('const struct ext_ent ext_table[] = {\n')
        file.writelines(f'  {{"{module["name"]}", {module["init"]}}},\n' for module in modules)
        file.write('  {0, 0}};\n')
    headers = [f'-I{step.result("cpython")}/include/python3.13']
    start = step.compile([step.recipe('compile/main.c'), table, step.recipe('compile/stubs.c')], headers, 'start')
    start += allocator(step)
    objects = list(dict.fromkeys(path for module in modules for path in module['objects']))
    libraries = list(dict.fromkeys(path for module in modules for path in module['libraries']))
    python = f'{step.result("cpython")}/lib'
    archives = [f'{python}/{name}' for name in ('libpython3.13.a', 'libHacl_Hash_SHA2.a', 'libmpdec.a', 'libexpat.a')]
    archives += [f'{step.result("zlib")}/lib/libz.a']
    toolchain, linked = step.result('toolchain'), os.path.join(step.work, 'linked.wasm')
    command = ['wasm-ld', f'-L{toolchain}/lib', '-o', linked, '-z', f'stack-size={STACK}', '--stack-first', '--initial-memory=67108864',
               # Strict: a symbol that is missing, there twice or called with another signature is an error.
               '--fatal-warnings', '--strip-all', '--gc-sections', '--no-entry', '--error-limit=0', *start, *objects, *libraries, *archives, *libraries,
               '-lc++', '-lc++abi', '-lunwind', '-lsetjmp', '-lc', '-lzigc', '-lcompiler_rt']
    answers = os.path.join(step.work, 'link.rsp')
    with open(answers, 'w') as file:
        file.write('\n'.join(command[1:]))
    step.run([f'{toolchain}/zig/zig', 'wasm-ld', f'@{answers}'])
    step.run([step.python, step.recipe('adapt_signatures.py'), linked, f'{step.out}/python.wasm'])
    pack(step, f'{step.out}/python.wasm', f'{step.out}/python.wasm.zst')


def allocator(step):
    """The C library's allocator, patched: it comes first, so the one in libc.a is not taken."""
    folder = os.path.join(step.work, 'allocator')
    os.makedirs(folder, exist_ok=True)
    shutil.copy(f'{step.source("ziglang")}/ziglang/lib/libc/wasi/emmalloc/emmalloc.c', folder)
    fetch.patch(folder, [step.recipe(ALLOCATOR.removeprefix('recipe/'))])
    return step.compile([f'{folder}/emmalloc.c'], ['-DNDEBUG', '-fno-strict-aliasing', '-fno-builtin'], 'allocator')
