"""multiprocessing, process pools and subprocess without processes: work is done at once, in this process.

What cannot be done that way raises an error that says so. Unlike in real processes, variables that a worker changes are changed here.
"""
import collections
import sys
import types

from . import _hints


class _Result:
    """AsyncResult of work that is done."""

    def __init__(self, work, callback=None, error_callback=None):
        self._value = self._error = None
        try:
            self._value = work()
        except Exception as e:
            self._error = e
        call = error_callback if self._error else callback
        if call:
            call(self._error or self._value)

    def get(self, timeout=None):
        if self._error:
            raise self._error
        return self._value

    def wait(self, timeout=None):
        pass

    def ready(self):
        return True

    def successful(self):
        return self._error is None


class Pool:
    """multiprocessing.Pool and ThreadPool: every task runs when it is given."""

    def __init__(self, processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None):
        if processes is not None and processes < 1:
            raise ValueError('Number of processes must be at least 1')
        self._processes, self._open = processes or 1, True
        if initializer:
            initializer(*initargs)

    def _check(self):
        if not self._open:
            raise ValueError('Pool not running')

    def apply(self, func, args=(), kwds={}):
        self._check()
        return func(*args, **kwds)

    def map(self, func, iterable, chunksize=None):
        self._check()
        return [func(item) for item in iterable]

    def starmap(self, func, iterable, chunksize=None):
        self._check()
        return [func(*items) for items in iterable]

    def imap(self, func, iterable, chunksize=1):
        self._check()
        return map(func, iterable)

    imap_unordered = imap

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None):
        self._check()
        return _Result(lambda: func(*args, **kwds), callback, error_callback)

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        self._check()
        return _Result(lambda: self.map(func, iterable), callback, error_callback)

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None):
        self._check()
        return _Result(lambda: self.starmap(func, iterable), callback, error_callback)

    def close(self):
        self._open = False

    terminate = close

    def join(self):
        if self._open:
            raise ValueError('Pool is still running')

    def __enter__(self):
        self._check()
        return self

    def __exit__(self, *_):
        self.terminate()


class _Connection:
    """One end of a Pipe()."""

    def __init__(self):
        self._items, self.other, self.closed = collections.deque(), None, False

    def send(self, obj):
        self.other._items.append(obj)

    def recv(self):
        if not self._items:
            raise EOFError('nothing was sent, and no other process can send it')
        return self._items.popleft()

    send_bytes, recv_bytes = send, recv

    def poll(self, timeout=0.0):
        return bool(self._items)

    def close(self):
        self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _pipe(duplex=True):
    one, other = _Connection(), _Connection()
    one.other, other.other = other, one
    return one, other


class _Value:
    def __init__(self, typecode, value=0, lock=True):
        import threading
        self.value, self._lock = value, threading.RLock()

    def get_lock(self):
        return self._lock

    def __enter__(self):
        return self._lock.__enter__()

    def __exit__(self, *args):
        return self._lock.__exit__(*args)


def _array(typecode, size_or_values, lock=True):
    values = [0] * size_or_values if isinstance(size_or_values, int) else size_or_values
    import array
    return array.array(typecode, values) if isinstance(typecode, str) else list(values)


class _Manager:
    def __getattr__(self, name):
        import multiprocessing
        kinds = {'dict': dict, 'list': list, 'Namespace': types.SimpleNamespace}
        return kinds[name] if name in kinds else getattr(multiprocessing, name)

    def start(self, *_):
        pass

    shutdown = start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def _inline_process(process):
    def start(self):
        if getattr(self, '_done', None) is not None:
            raise AssertionError('cannot start a process twice')
        self._done = 0
        try:
            self.run()
        except SystemExit as e:
            self._done = e.code if isinstance(e.code, int) else int(e.code is not None)
        except Exception:
            import traceback
            self._done = 1
            sys.stderr.write('Process %s:\n' % self.name)
            traceback.print_exc()

    def join(self, timeout=None):
        if getattr(self, '_done', None) is None:
            raise AssertionError('can only join a started process')
    process.start, process.join = start, join
    process.is_alive = lambda self: False
    process.terminate = process.kill = process.close = lambda self: None
    process.exitcode = property(lambda self: getattr(self, '_done', None))
    process.pid = process.ident = property(lambda self: None if getattr(self, '_done', None) is None else 1)


def multiprocessing_inline():
    import multiprocessing as mp
    import multiprocessing.pool
    import queue
    import threading
    from multiprocessing import context
    _inline_process(mp.process.BaseProcess)
    multiprocessing.pool.Pool = multiprocessing.pool.ThreadPool = Pool
    same = {'Pool': Pool, 'Queue': queue.Queue, 'JoinableQueue': queue.Queue, 'SimpleQueue': queue.SimpleQueue, 'Pipe': _pipe, 'Value': _Value,
            'Array': _array, 'RawValue': _Value, 'RawArray': _array, 'Manager': _Manager, 'cpu_count': lambda: 1}
    same.update({name: getattr(threading, name) for name in ('Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Condition', 'Event', 'Barrier')})
    for name, value in same.items():
        setattr(mp, name, value)
        setattr(context.BaseContext, name, staticmethod(value))
    inline = context.BaseContext()
    inline.Process, inline.get_start_method, inline._name = mp.Process, lambda allow_none=False: 'spawn', 'spawn'
    mp.Process._start_method = None
    mp.get_context = context.BaseContext.get_context = lambda *a, **k: inline
    mp.set_start_method = lambda *a, **k: None
    mp.get_start_method = inline.get_start_method


def process_pools_inline():
    """concurrent.futures.ProcessPoolExecutor as the executor of threads, which runs tasks on submit."""
    import concurrent.futures as futures
    import concurrent.futures.thread as threads

    class BrokenProcessPool(futures.BrokenExecutor):
        pass

    class ProcessPoolExecutor(threads.ThreadPoolExecutor):
        def __init__(self, max_workers=None, mp_context=None, initializer=None, initargs=(), *, max_tasks_per_child=None):
            super().__init__(max_workers or 1, '', initializer, initargs)

        def map(self, fn, *iterables, timeout=None, chunksize=1):
            return super().map(fn, *iterables, timeout=timeout)

    for kind in (BrokenProcessPool, ProcessPoolExecutor):
        kind.__module__ = 'concurrent.futures.process'
    module = types.ModuleType('concurrent.futures.process')
    module.ProcessPoolExecutor, module.BrokenProcessPool = ProcessPoolExecutor, BrokenProcessPool
    sys.modules[module.__name__] = futures.process = module
    futures.ProcessPoolExecutor = ProcessPoolExecutor


# ---- subprocess, os.system ----

def _command(args):
    from . import _notebook
    return _notebook.words(args) if isinstance(args, (str, bytes)) else [str(word) for word in args]


def answer_of(args):
    """(exit status, text) of a command that can be answered without running it, or None."""
    from . import _notebook
    words = _command(args.decode() if isinstance(args, bytes) else args)
    packages = _notebook.installed_by(words)
    if packages is None:
        return None
    there, missing = _hints.install(packages)
    return (1, 'ERROR: %s\n' % missing) if missing else (
        0, _hints.told(words) or ''.join('Requirement already satisfied: %s\n' % name for name in there))


def subprocess_answers():
    import os
    import subprocess

    class Popen(subprocess.Popen):
        def __init__(self, args, bufsize=-1, executable=None, stdin=None, stdout=None, stderr=None, *more, text=None, universal_newlines=None,
                     encoding=None, errors=None, **kwargs):
            answer = answer_of(args)
            if answer is None:
                words = _command(args)
                error = FileNotFoundError(2, _hints.NO_PROGRAMS, words[0] if words else '')
                error.errno = __import__('errno').ENOENT
                raise error
            import io
            self.args, self.pid, self.encoding, self.errors = args, 1, encoding, errors
            self.returncode, said = answer
            self.text_mode = text or universal_newlines or encoding or errors
            self._child_created, self._communication_started = False, False
            self.stdin = None
            place = (stderr if self.returncode and stderr != subprocess.STDOUT else stdout)
            streams = []
            for wanted, own in ((stdout, self.returncode == 0 or stderr == subprocess.STDOUT), (stderr, self.returncode != 0)):
                piece = said if own else ''
                streams.append((io.StringIO(piece) if self.text_mode else io.BytesIO(piece.encode())) if wanted == subprocess.PIPE else None)
            self.stdout, self.stderr = streams
            if place is None:
                (sys.stderr if self.returncode else sys.stdout).write(said)

        def communicate(self, input=None, timeout=None):
            return tuple(stream.read() if stream else None for stream in (self.stdout, self.stderr))

        def poll(self):
            return self.returncode

        def wait(self, timeout=None):
            return self.returncode

        def __del__(self, **_):
            pass

    def system(command):
        answer = answer_of(command)
        if answer is None:
            answer = 127, '%s: %s\n' % (command, _hints.NO_PROGRAMS)
        (sys.stderr if answer[0] else sys.stdout).write(answer[1])
        return answer[0] << 8

    def popen(command, mode='r', buffering=-1):
        import io
        answer = answer_of(command)
        if answer is None:
            raise FileNotFoundError(__import__('errno').ENOENT, _hints.NO_PROGRAMS, command)
        return io.StringIO(answer[1])
    Popen.__module__ = 'subprocess'
    subprocess.Popen = Popen
    os.system, os.popen = system, popen


def install():
    multiprocessing_inline()
    process_pools_inline()
    subprocess_answers()
