"""Zstandard frames."""
import io

import zstandard

from ._buffer import Buffer, CompressionError, DecompressionError, put, told_as


def compress(data, level=None, output_len=None):
    with told_as(CompressionError, zstandard.ZstdError):
        return Buffer(zstandard.ZstdCompressor(level=3 if level is None else level).compress(data))


def _read(data, size):
    with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as reader:
        return reader.read(size)


def decompress(data, output_len=None):
    with told_as(DecompressionError, zstandard.ZstdError):
        return Buffer(_read(data, -1))


def decompress_into(data, output):
    """Never makes more than the buffer takes."""
    with memoryview(output) as view:
        room = view.nbytes
    with told_as(DecompressionError, zstandard.ZstdError):
        return put(_read(data, room + 1), output)
