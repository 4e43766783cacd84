"""Brotli streams."""
import brotli

from ._buffer import Buffer, CompressionError, DecompressionError, put, told_as


def compress(data, level=None, output_len=None):
    with told_as(CompressionError, brotli.error):
        return Buffer(brotli.compress(memoryview(data).tobytes(), quality=11 if level is None else level))


def decompress(data, output_len=None):
    with told_as(DecompressionError, brotli.error):
        return Buffer(brotli.decompress(memoryview(data).tobytes()))


def decompress_into(data, output):
    """Never makes much more than the buffer takes."""
    with memoryview(output) as view:
        room = view.nbytes
    work, made = brotli.Decompressor(), bytearray()
    with told_as(DecompressionError, brotli.error):
        made += work.process(memoryview(data).tobytes(), output_buffer_limit=room + 1)
        while not work.is_finished() and not work.can_accept_more_data() and len(made) <= room:
            made += work.process(b'', output_buffer_limit=room + 1)
    if len(made) <= room and not work.is_finished():
        raise DecompressionError('brotli: the data ends early')
    return put(made, output)
