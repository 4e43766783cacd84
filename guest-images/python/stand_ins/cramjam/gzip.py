"""gzip members, one or more."""
import zlib

from ._buffer import Buffer, DecompressionError, put, told_as

GZIP = 16 + zlib.MAX_WBITS


def compress(data, level=None, output_len=None):
    work = zlib.compressobj(6 if level is None else level, zlib.DEFLATED, GZIP)
    return Buffer(work.compress(data) + work.flush())


def decompress(data, output_len=None):
    out, rest = Buffer(), memoryview(data).cast('B').tobytes()
    with told_as(DecompressionError, zlib.error):
        while rest:
            work = zlib.decompressobj(GZIP)
            out += work.decompress(rest)
            out += work.flush()
            if not work.eof:
                raise DecompressionError('gzip: the data ends early')
            rest = work.unused_data.lstrip(b'\0')
    return out


def decompress_into(data, output):
    """Never makes more than the buffer takes."""
    with memoryview(output) as view:
        room = view.nbytes
    with told_as(DecompressionError, zlib.error):
        work = zlib.decompressobj(GZIP)
        made = work.decompress(data, room + 1)
        if work.eof and work.unused_data.strip(b'\0'):
            made = decompress(data)
    if len(made) <= room and not work.eof:
        raise DecompressionError('gzip: the data ends early')
    return put(made, output)
