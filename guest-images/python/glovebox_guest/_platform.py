"""What user code expects of a platform and this one lacks: threads, an event loop without sockets, a user, a network.

Threads: there are none. Thread.start() runs the target to its end at once; ThreadPoolExecutor runs every task on submit;
waiting for something that no other thread can deliver raises RuntimeError instead of hanging.
"""
import sys
import threading
import time


def no_ctypes():
    """numpy handles a missing ctypes by itself: hide it while numpy is imported."""
    sys.modules['ctypes'] = None


def user_and_network():
    """os.getuid() and its kin, and words for what needs a network."""
    import getpass
    import os
    import socket

    from . import _hints
    for name in ('getuid', 'geteuid', 'getgid', 'getegid'):
        if not hasattr(os, name):
            setattr(os, name, lambda: 1000)
    os.getlogin = lambda: 'user'
    getpass.getuser = lambda: os.environ.get('LOGNAME') or os.environ.get('USER') or 'user'

    def getaddrinfo(host, *args, **kwargs):
        raise socket.gaierror(-3, _hints.NO_NETWORK)
    for name in ('getaddrinfo', 'gethostbyname', 'gethostbyname_ex', 'getnameinfo', 'gethostbyaddr'):
        setattr(socket, name, getaddrinfo)


def duplicates_of_files():
    """os.dup() of an open file, by opening its name again: numpy duplicates a file before it reads or writes it in C."""
    import gc
    import io
    import os
    dup = getattr(os, 'dup', None)

    def duplicate(fd):
        for file in gc.get_objects():
            if type(file) is io.FileIO and not file.closed and file.fileno() == fd and isinstance(file.name, (str, bytes)):
                flags = os.O_RDWR if '+' in file.mode else os.O_RDONLY if 'r' in file.mode else os.O_WRONLY
                again = os.open(file.name, flags | (os.O_APPEND if 'a' in file.mode else 0))
                os.lseek(again, os.lseek(fd, 0, os.SEEK_CUR), os.SEEK_SET)
                return again
        return dup(fd)
    os.dup = duplicate


# ---- threads ----

_running = []                           # threads inside their start(), the innermost last


def _start(self):
    if not self._initialized:
        raise RuntimeError('thread.__init__() not called')
    if self._started.is_set():
        raise RuntimeError('threads can only be started once')
    self._started.set()
    if type(self).__module__ == 'tqdm._monitor':        # it would watch for ever
        self._glovebox_done = True
        return
    _running.append(self)
    try:
        self.run()
    except SystemExit:
        pass
    except Exception:
        self._invoke_excepthook(self)
    finally:
        _running.pop()
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
    if _running and _running[-1].daemon:        # a thread for the background has nothing more to do until others go on: it ends here
        raise SystemExit
    if timeout is None:
        raise RuntimeError('deadlock: waiting for another thread, but there are no threads here (they run inside start())')
    if timeout > 0:
        time.sleep(timeout)
    return False


def inline_threads():
    T = threading.Thread
    T.start, T.join = _start, _join
    T.is_alive = lambda self: self._started.is_set() and not getattr(self, '_glovebox_done', False)
    threading.Condition.wait = _wait

    def timer_run(self):
        if not self.finished.is_set():
            time.sleep(self.interval)
            self.function(*self.args, **self.kwargs)
        self.finished.set()
    threading.Timer.run = timer_run

    import concurrent.futures as cf
    import concurrent.futures.thread as cft

    def submit(self, fn, /, *args, **kwargs):
        if self._shutdown:
            raise RuntimeError('cannot schedule new futures after shutdown')
        if self._initializer and not getattr(self, '_glovebox_ready', False):
            self._glovebox_ready = True
            self._initializer(*self._initargs)
        f = cf.Future()
        f.set_running_or_notify_cancel()
        try:
            f.set_result(fn(*args, **kwargs))
        except BaseException as e:
            if not isinstance(e, Exception):
                raise
            f.set_exception(e)
        return f

    def shutdown(self, wait=True, *, cancel_futures=False):
        self._shutdown = True
    cft.ThreadPoolExecutor.submit = submit
    cft.ThreadPoolExecutor.shutdown = shutdown


# ---- asyncio ----

def asyncio_loop():
    """An event loop that needs no socket pair: it only ever sleeps until the next timer."""
    import asyncio
    import selectors
    from asyncio import selector_events, events

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

        async def getaddrinfo(self, *a, **k):
            raise OSError('no network here')

    class Policy(events.BaseDefaultEventLoopPolicy):
        _loop_factory = Loop

    asyncio.SelectorEventLoop = Loop
    asyncio.DefaultEventLoopPolicy = Policy
    asyncio.EventLoop = Loop
    asyncio.set_event_loop_policy(Policy())


# ---- package metadata ----

class _Entry:
    """A name inside the library zip, as much of a path as importlib.metadata asks for."""

    def __init__(self, importer, name):
        self._importer, self._name = importer, name

    def joinpath(self, *names):
        return _Entry(self._importer, '/'.join((self._name, *map(str, names))).lstrip('/'))

    __truediv__ = joinpath

    @property
    def parent(self):
        return _Entry(self._importer, self._name.rpartition('/')[0])

    @property
    def name(self):
        return self._name.rpartition('/')[2]

    def read_text(self, encoding=None):
        try:
            return self._importer.get_data('%s/%s' % (self._importer.archive, self._name)).decode('utf-8')
        except OSError:
            raise FileNotFoundError(self._name) from None

    def __str__(self):
        return '%s/%s' % (self._importer.archive, self._name)


def metadata_from_zip():
    """importlib.metadata through the zip's importer: it would read the zip's directory again, and keep the zip open."""
    import importlib.metadata as metadata
    importer = __loader__
    if not hasattr(importer, '_get_files'):
        return
    children = dict.fromkeys(name.split('/', 1)[0] for name in importer._get_files())
    zip_children = metadata.FastPath.zip_children

    def ours_or_theirs(self):
        if self.root != importer.archive:
            return zip_children(self)
        self.joinpath = _Entry(importer, '').joinpath
        return children
    metadata.FastPath.zip_children = ours_or_theirs


def drop_undefined():
    """Take away functions that are compiled in but call what this C library lacks: AttributeError is better than a trap."""
    import _locale
    import locale
    import os
    for name in ('gettext', 'dgettext', 'dcgettext', 'textdomain', 'bindtextdomain', 'bind_textdomain_codeset'):
        for module in (_locale, locale):
            module.__dict__.pop(name, None)
    for name in ('memfd_create', 'timerfd_create', 'timerfd_settime', 'timerfd_settime_ns', 'timerfd_gettime', 'timerfd_gettime_ns'):
        for module in (os, sys.modules['posix']):
            module.__dict__.pop(name, None)
