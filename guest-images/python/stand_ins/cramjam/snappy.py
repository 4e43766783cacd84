"""Snappy: raw blocks, and the framing format."""
from . import _snappy
from ._buffer import Buffer, DecompressionError, put, told_as

HEADER = b'\xff\x06\x00\x00sNaPpY'
BLOCK = 65536


def compress_raw(data, output_len=None):
    return Buffer(_snappy.compress(data))


def decompress_raw(data, output_len=None):
    with told_as(DecompressionError, _snappy.Error):
        return Buffer(_snappy.decompress(data))


def decompress_raw_into(data, output):
    with told_as(DecompressionError, _snappy.Error):
        return _snappy.decompress_into(data, output)


def compress_raw_into(data, output):
    return put(_snappy.compress(data), output)


def _frames(data):
    with memoryview(data) as view, view.cast('B') as data:
        for start in range(0, len(data), BLOCK):
            part = bytes(data[start:start + BLOCK])
            packed, kind = _snappy.compress(part), 0
            if len(packed) >= len(part):
                packed, kind = part, 1
            yield bytes([kind]) + (len(packed) + 4).to_bytes(3, 'little') + _snappy.checksum(part).to_bytes(4, 'little') + packed


def compress(data, output_len=None):
    return Buffer(HEADER + b''.join(_frames(data)))


def decompress(data, output_len=None):
    data, out, at = memoryview(data).cast('B').tobytes(), Buffer(), 0
    if data and not data.startswith(HEADER):
        raise DecompressionError('snappy: the stream has no header')
    while at < len(data):
        kind, length = data[at], int.from_bytes(data[at + 1:at + 4], 'little')
        body = data[at + 4:at + 4 + length]
        if len(body) < length or len(data) < at + 4:
            raise DecompressionError('snappy: the stream ends early')
        at += 4 + length
        if kind in (0, 1):
            part = decompress_raw(body[4:]) if kind == 0 else body[4:]
            if _snappy.checksum(part).to_bytes(4, 'little') != body[:4]:
                raise DecompressionError('snappy: a checksum does not match')
            out += part
        elif kind < 0x80:
            raise DecompressionError(f'snappy: unknown chunk {kind}')
    return out


def decompress_into(data, output):
    return put(decompress(data), output)


class Compressor:
    """Collects frames; `flush` gives what there is so far."""

    def __init__(self):
        self._out = bytearray(HEADER)

    def compress(self, data):
        for frame in _frames(data):
            self._out += frame
        return memoryview(data).nbytes

    def flush(self):
        out, self._out = Buffer(self._out), bytearray()
        return out

    finish = flush


class Decompressor:
    """Takes whole frames."""

    def __init__(self):
        self._out = bytearray()

    def decompress(self, data):
        made = decompress(data)
        self._out += made
        return len(made)

    def flush(self):
        out, self._out = Buffer(self._out), bytearray()
        return out

    finish = flush
