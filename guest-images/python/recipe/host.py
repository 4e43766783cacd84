#!/usr/bin/env python3
"""Development host for the image, over the PyPI package `wasmtime`: warm, save the memory, run turns in fresh instances.

usage: host.py IMAGE_DIR turns.json|script.py… [--fuel] [--figures DIR]

IMAGE_DIR holds python.wasm and py/ (what library.tar.zst and mpl-data.tar.zst hold). The compiled module and the warm memory
are kept beside it and made again when something they depend on is newer. A .json file is a list of lists of requests,
one inner list per fresh instance; a .py file is one turn of its own. --figures writes every image shown to DIR.
"""
import base64
import ctypes
import json
import os
import shutil
import sys
import tempfile
import time

import wasmtime

I32, I64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
ENVIRONMENT = {'HOME': '/tmp', 'TMPDIR': '/tmp', 'MPLCONFIGDIR': '/tmp/matplotlib', 'TZ': 'UTC'}


class Image:
    """The compiled module and its memory after gb_warm."""

    def __init__(self, directory, fuel=False):
        self.directory, self.fuel = directory, fuel
        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.max_wasm_stack = 2 << 20         # deep recursion in C ends as RecursionError below this
        config.consume_fuel = fuel
        self.engine = wasmtime.Engine(config)
        self.module = self._compiled(os.path.join(directory, 'python.wasm'))
        self.memory = self._warmed()

    def _compiled(self, wasm):
        cache = wasm + ('.fuel' if self.fuel else '') + '.cwasm'
        if newer(cache, wasm):
            return wasmtime.Module.deserialize_file(self.engine, cache)
        start = time.time()
        module = wasmtime.Module.from_file(self.engine, wasm)
        with open(cache, 'wb') as f:
            f.write(module.serialize())
        note('compiled in %.1f s' % (time.time() - start))
        return module

    def _warmed(self):
        cache = os.path.join(self.directory, 'warm.img')
        if newer(cache, *(os.path.join(self.directory, x) for x in ('python.wasm', 'py/python-lib.zip'))):
            with open(cache, 'rb') as f:
                return f.read()
        start = time.time()
        instance = Instance(self, None)
        status = instance.exports['gb_warm'](instance.store)
        if status:
            raise SystemExit('the warm-up failed')
        memory = instance.read(0, instance.memory.data_len(instance.store))
        note('warmed in %.1f s, memory %.0f MiB' % (time.time() - start, len(memory) / 2**20))
        with open(cache, 'wb') as f:
            f.write(memory)
        return memory


class Instance:
    """One live guest with directories of its own; `image.memory` (or nothing, before the warm-up) is its start."""

    def __init__(self, image, memory, stdout=None, stderr=None):
        self.events = []
        self.root = tempfile.mkdtemp(prefix='glovebox-')
        for name in ('data', 'tmp', 'dev'):
            os.mkdir(os.path.join(self.root, name))
        open(os.path.join(self.root, 'dev/null'), 'w').close()
        self.data = os.path.join(self.root, 'data')
        wasi = wasmtime.WasiConfig()
        if stdout:
            wasi.stdout_file, wasi.stderr_file = stdout, stderr or stdout
        else:
            wasi.inherit_stdout()
            wasi.inherit_stderr()
        wasi.env = list(ENVIRONMENT.items())
        wasi.preopen_dir(os.path.join(image.directory, 'py'), '/py', False)
        for name, guest in (('data', '/mnt/data'), ('tmp', '/tmp'), ('dev', '/dev')):
            wasi.preopen_dir(os.path.join(self.root, name), guest)
        self.store = wasmtime.Store(image.engine)
        if image.fuel:
            self.store.set_fuel(10**15)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(image.engine)
        linker.define_wasi()
        linker.define_func('glovebox', 'event', wasmtime.FuncType([I32, I32], []), self._event)
        linker.define_func('glovebox', 'call', wasmtime.FuncType([I32, I32], [I64]), self._call)
        self.exports = linker.instantiate(self.store, image.module).exports(self.store)
        self.memory = self.exports['memory']
        if memory:
            missing = (len(memory) - self.memory.data_len(self.store)) // 65536
            if missing > 0:
                self.memory.grow(self.store, missing)
            ctypes.memmove(self._address(), memory, len(memory))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.root, ignore_errors=True)

    def _address(self):
        return ctypes.addressof(self.memory.data_ptr(self.store).contents)

    def read(self, pointer, length):
        return ctypes.string_at(self._address() + (pointer & 0xFFFFFFFF), length)

    def write(self, data):
        pointer = self.exports['gb_alloc'](self.store, len(data)) & 0xFFFFFFFF
        ctypes.memmove(self._address() + pointer, data, len(data))
        return pointer

    def _event(self, pointer, length):
        self.events.append(json.loads(self.read(pointer, length)))

    def _call(self, pointer, length):
        """Answers {"echo": request}, or refuses {"refuse": true}."""
        request = json.loads(self.read(pointer, length))
        if request.get('refuse'):
            return -1
        answer = json.dumps({'echo': request}).encode()
        return self.write(answer) << 32 | len(answer)

    def turn(self, request):
        """(exit status or the text of a trap, seconds, events)"""
        data = json.dumps(request).encode()
        start = time.perf_counter()
        try:
            status = self.exports['gb_turn'](self.store, self.write(data), len(data))
        except (wasmtime.Trap, wasmtime.WasmtimeError, wasmtime.ExitTrap) as e:
            status = 'TRAP ' + str(e)[-400:]
        elapsed = time.perf_counter() - start
        events, self.events = self.events, []
        return status, elapsed, events


def newer(cache, *sources):
    return os.path.exists(cache) and all(os.path.getmtime(cache) >= os.path.getmtime(s) for s in sources)


def note(text):
    print(text, file=sys.stderr, flush=True)


def shorten(value):
    """An event small enough to read: long strings and lists cut."""
    if isinstance(value, str):
        return value if len(value) <= 300 else value[:200] + '… (%d characters)' % len(value)
    if isinstance(value, list):
        return [shorten(v) for v in value[:12]] + (['… (%d items)' % len(value)] if len(value) > 12 else [])
    if isinstance(value, dict):
        return {k: shorten(v) for k, v in value.items()}
    return value


def main():
    arguments = sys.argv[1:]
    figures = None
    if '--figures' in arguments:
        i = arguments.index('--figures')
        figures = arguments[i + 1]
        del arguments[i:i + 2]
        os.makedirs(figures, exist_ok=True)
    fuel = '--fuel' in arguments
    arguments = [a for a in arguments if a != '--fuel']
    if not arguments:
        raise SystemExit(__doc__)
    image = Image(arguments[0], fuel)
    shown = 0
    for path in arguments[1:]:
        with open(path) as f:
            text = f.read()
        sessions = json.loads(text) if path.endswith('.json') else [[{'source': text, 'filename': os.path.basename(path)}]]
        for session in sessions:
            note('--- %s: fresh instance' % os.path.basename(path))
            with Instance(image, image.memory) as instance:
                for request in session:
                    status, seconds, events = instance.turn({'cwd': '/mnt/data', **request})
                    note('[status %s, %.1f ms]' % (status, 1e3 * seconds))
                    for event in events:
                        note('  ' + json.dumps(shorten(event), ensure_ascii=False))
                        png = event.get('data', {}).get('image/png')
                        if figures and png:
                            shown += 1
                            with open('%s/%03d.png' % (figures, shown), 'wb') as f:
                                f.write(base64.b64decode(png))


if __name__ == '__main__':
    main()
