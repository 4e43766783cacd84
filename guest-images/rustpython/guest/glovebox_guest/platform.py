"""What scripts expect of a platform and this one lacks: threads, an event loop without sockets, entropy after a restore.

Threads: there are none. Thread.start() runs the target to its end at once; ThreadPoolExecutor runs every task on submit;
waiting for something that no other thread can deliver raises RuntimeError instead of hanging.
"""
import _sitebuiltins
import builtins
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time

import _glovebox

DEADLOCK = 'deadlock: waiting for another thread, but there are no threads here (they run inside start())'


def site_builtins():
    """What the site module would add; it isn't imported, because it looks for directories that don't exist here."""
    builtins.exit = _sitebuiltins.Quitter('exit', 'Ctrl-D (i.e. EOF)')
    builtins.quit = _sitebuiltins.Quitter('quit', 'Ctrl-D (i.e. EOF)')
    builtins.help = _sitebuiltins._Helper()


def error_texts():
    """RustPython takes an OSError's text from Rust, which adds ' (os error 44)' to it."""
    native = OSError.strerror

    def strerror(self):
        text = native.__get__(self, type(self))
        return re.sub(r' \(os error \d+\)$', '', text) if isinstance(text, str) else text
    _glovebox.set_type_attribute(OSError, 'strerror', property(strerror, native.__set__))
    del _glovebox.set_type_attribute


def permissions():
    """Files have no permission bits here; copying and unpacking set them all the same."""
    def chmod(path, mode, *, dir_fd=None, follow_symlinks=True):
        os.stat(path)
    os.chmod, os.umask = chmod, lambda mask: 0o022


def time_zone():
    """There is no local time here but UTC, and the time module doesn't say so."""
    time.tzname, time.timezone, time.altzone, time.daylight = ('UTC', 'UTC'), 0, 0, 0


def entropy():
    """seed() without a number draws from a generator that lies in the memory image, so every instance would get the same."""
    native = random.Random.seed

    def seed(self, a=None, version=2):
        native(self, int.from_bytes(os.urandom(32), 'big') if a is None else a, version)
    seed.__doc__ = native.__doc__
    random.Random.seed = seed
    random.seed = random._inst.seed


def signals():
    """Numbers that scripts and asyncio name. Nothing sends a signal here; a handler is remembered and never called."""
    handlers = {}

    def set_handler(signalnum, handler):
        previous, handlers[signalnum] = get_handler(signalnum), handler
        return previous

    def get_handler(signalnum):
        return handlers.get(signalnum, signal.default_int_handler if signalnum == 2 else signal.SIG_DFL)

    for name, number in dict(SIGINT=2, SIGABRT=6, SIGKILL=9, SIGUSR1=10, SIGPIPE=13, SIGALRM=14, SIGTERM=15).items():
        if not hasattr(signal, name):
            setattr(signal, name, number)
    signal.signal, signal.getsignal = set_handler, get_handler


# ---- threads ----

def _start(self):
    if not self._initialized:
        raise RuntimeError('thread.__init__() not called')
    if self._started.is_set():
        raise RuntimeError('threads can only be started once')
    self._started.set()
    try:
        self.run()
    except SystemExit:
        pass
    except Exception:
        self._invoke_excepthook(self)
    finally:
        self._glovebox_done = True


def _join(self, timeout=None):
    if not self._initialized:
        raise RuntimeError('Thread.__init__() not called')
    if not self._started.is_set():
        raise RuntimeError('cannot join thread before it is started')
    if not getattr(self, '_glovebox_done', False):
        raise RuntimeError('cannot join current thread')


def _wait(self, timeout=None):
    if not self._is_owned():
        raise RuntimeError('cannot wait on un-acquired lock')
    if timeout is None:
        raise RuntimeError(DEADLOCK)
    if timeout > 0:
        time.sleep(timeout)
    return False


def _run_timer(self):
    if not self.finished.is_set():
        time.sleep(self.interval)
        self.function(*self.args, **self.kwargs)
    self.finished.set()


def _submit(self, fn, /, *args, **kwargs):
    import concurrent.futures
    if self._shutdown:
        raise RuntimeError('cannot schedule new futures after shutdown')
    if not getattr(self, '_glovebox_ready', False):
        self._glovebox_ready = True
        self._create_worker_context().initialize()
    future = concurrent.futures.Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(fn(*args, **kwargs))
    except Exception as e:
        future.set_exception(e)
    return future


def _shutdown(self, wait=True, *, cancel_futures=False):
    self._shutdown = True


def inline_threads():
    import concurrent.futures.thread as pool
    import queue
    threading._CRLock = None        # the native one can't serve a Condition; the one in Python can
    threading.Thread.start, threading.Thread.join = _start, _join
    threading.Thread.is_alive = lambda self: self._started.is_set() and not getattr(self, '_glovebox_done', False)
    threading.Condition.wait = _wait
    threading.Timer.run = _run_timer
    pool.ThreadPoolExecutor.submit, pool.ThreadPoolExecutor.shutdown = _submit, _shutdown
    queue.SimpleQueue = queue._PySimpleQueue


# ---- asyncio ----

def event_loop():
    """An event loop that needs no socket pair: it only ever sleeps until the next timer."""
    import asyncio
    import selectors
    from asyncio import events, selector_events

    class Selector(selectors._BaseSelectorImpl):
        def select(self, timeout=None):
            if timeout is None:
                raise RuntimeError('deadlock: the event loop waits for something that can never happen here')
            if timeout > 0:
                time.sleep(timeout)
            return []

    class Loop(selector_events.BaseSelectorEventLoop):
        def __init__(self):
            super().__init__(Selector())

        def _make_self_pipe(self):
            self._ssock = self._csock = None

        def _close_self_pipe(self):
            pass

        def _write_to_self(self):
            pass

        async def getaddrinfo(self, *args, **kwargs):
            raise OSError('no network here')

    asyncio.SelectorEventLoop = asyncio.EventLoop = Loop
    policy = events._BaseDefaultEventLoopPolicy
    policy._loop_factory = Loop
    asyncio.DefaultEventLoopPolicy = asyncio._DefaultEventLoopPolicy = policy
    events._event_loop_policy = policy()


def install():
    site_builtins()
    # A script that is stopped at a limit leaves the lines it has printed.
    sys.stdout.reconfigure(line_buffering=True)
    error_texts()
    permissions()
    time_zone()
    entropy()
    signals()
    inline_threads()
    event_loop()
    tempfile._candidate_tempdir_list = lambda: [os.environ.get('TMPDIR') or '/tmp', os.getcwd()]
    sys.executable = ''
