"""Results and errors of all codecs."""
import contextlib


class CompressionError(Exception):
    """Something cannot be compressed."""


class DecompressionError(Exception):
    """Compressed data is damaged, or does not fit where it should go."""


class Buffer(bytearray):
    """Bytes that can be written to."""


@contextlib.contextmanager
def told_as(kind, *causes):
    """Turns the codec's own errors into `kind`."""
    try:
        yield
    except causes as error:
        raise kind(str(error)) from None


def put(data, output):
    """Writes data to the beginning of a writable buffer; gives its length."""
    with memoryview(output) as view, view.cast('B') as room:
        if len(data) > len(room):
            raise DecompressionError(f'{len(data)} bytes do not fit into a buffer of {len(room)}')
        room[:len(data)] = data
    return len(data)
