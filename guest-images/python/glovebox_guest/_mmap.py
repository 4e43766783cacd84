"""A stand-in for mmap: the file's bytes in memory, written back by flush() and close()."""
import io
import os
import sys
import types

ACCESS_DEFAULT, ACCESS_READ, ACCESS_WRITE, ACCESS_COPY = range(4)
MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 32, 1, 2, 4
PAGESIZE = ALLOCATIONGRANULARITY = 65536


class mmap(bytearray):
    """A bytearray that can also be read and sought like a file."""

    def __init__(self, fileno, length, flags=MAP_SHARED, prot=PROT_READ | PROT_WRITE, access=ACCESS_DEFAULT, offset=0, **_):
        if length < 0 or offset < 0:
            raise OverflowError('memory mapped length and offset must be positive')
        self._file, self._offset, self._position, self.closed = fileno, offset, 0, False
        self._keeps = fileno == -1 or access in (ACCESS_READ, ACCESS_COPY) or flags & MAP_PRIVATE or not prot & PROT_WRITE
        self._fixed = access == ACCESS_READ or access == ACCESS_DEFAULT and not prot & PROT_WRITE
        if fileno == -1:
            super().__init__(length)
            return
        size = os.fstat(fileno).st_size
        if not length and size <= offset:
            raise ValueError('cannot mmap an empty file' if not size else 'mmap offset is greater than file size')
        if length + offset > size:
            raise ValueError('mmap length is greater than file size')
        length = length or size - offset
        if not self._keeps:
            self._file = os.dup(fileno)         # outlives the file that it was made from
        parts, at = [], offset
        while at < offset + length:
            part = os.pread(fileno, min(offset + length - at, 1 << 20), at)
            if not part:
                break
            parts.append(part)
            at += len(part)
        super().__init__(b''.join(parts))

    def __setitem__(self, key, value):
        if self._fixed:
            raise TypeError("mmap can't modify a readonly memory map.")
        before = len(self)
        super().__setitem__(key, value if isinstance(value, int) else bytes(value))
        if len(self) != before:
            raise IndexError('mmap slice assignment is wrong size')

    def __getitem__(self, key):
        value = super().__getitem__(key)
        return value if isinstance(value, int) else bytes(value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return (bytes((value,)) for value in super().__iter__())

    def read(self, n=-1):
        end = len(self) if n is None or n < 0 else self._position + n
        part, self._position = self[self._position:end], min(end, len(self))
        return part

    def readline(self):
        end = super().find(b'\n', self._position)
        return self.read(-1 if end < 0 else end + 1 - self._position)

    def read_byte(self):
        return self.read(1)[0]

    def write(self, data):
        if self._position + len(data) > len(self):
            raise ValueError('data out of range')
        self[self._position:self._position + len(data)] = data
        self._position += len(data)
        return len(data)

    def write_byte(self, value):
        self.write(bytes((value,)))

    def find(self, sub, start=None, end=None):
        return super().find(sub, self._position if start is None else start, len(self) if end is None else end)

    def rfind(self, sub, start=None, end=None):
        return super().rfind(sub, self._position if start is None else start, len(self) if end is None else end)

    def seek(self, position, whence=io.SEEK_SET):
        position += (0, self._position, len(self))[whence]
        if not 0 <= position <= len(self):
            raise ValueError('seek out of range')
        self._position = position
        return position

    def tell(self):
        return self._position

    def size(self):
        return len(self) if self._file == -1 else os.fstat(self._file).st_size

    def move(self, to, source, count):
        self[to:to + count] = self[source:source + count]

    def seekable(self):
        return True

    def resize(self, size):
        raise SystemError('mmap: resizing not available here')

    def madvise(self, *_):
        pass

    def flush(self, offset=0, size=None):
        if not self._keeps and not self.closed:
            data, at = memoryview(self), 0
            while at < len(data):
                at += os.pwrite(self._file, data[at:at + (1 << 20)], self._offset + at)

    def close(self):
        if not self.closed:
            self.flush()
            self.closed = True
            if not self._keeps:
                os.close(self._file)

    def __del__(self):
        try:
            self.close()
        except (OSError, AttributeError):       # its making failed, or the interpreter ends
            pass


def install():
    module = types.ModuleType('mmap', __doc__)
    mmap.__module__ = 'mmap'
    module.__dict__.update({name: value for name, value in globals().items() if name.isupper() or name.startswith(('MAP_', 'PROT_', 'ACCESS_'))}, mmap=mmap,
                           error=OSError)
    sys.modules['mmap'] = module
