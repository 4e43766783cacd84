"""The part of `cramjam` that fastparquet and python-snappy use, over this image's own codecs.

`cramjam` itself is written in Rust. Functions take the same arguments and raise the same two exceptions; results are
`Buffer`, a bytearray.
"""
from . import brotli, gzip, lz4, snappy, zstd
from ._buffer import Buffer, CompressionError, DecompressionError

__all__ = ['Buffer', 'CompressionError', 'DecompressionError', 'brotli', 'gzip', 'lz4', 'snappy', 'zstd']
__version__ = '2.14.0'
