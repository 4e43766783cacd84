"""LZ4: blocks, and the frame format."""
import lz4.block
import lz4.frame

from ._buffer import Buffer, CompressionError, DecompressionError, put, told_as


def compress_block(data, output_len=None, mode=None, acceleration=None, compression=None, store_size=None):
    options = {name: value for name, value in (('mode', mode), ('acceleration', acceleration), ('compression', compression))
               if value is not None}
    with told_as(CompressionError, lz4.block.LZ4BlockError):
        return Buffer(lz4.block.compress(data, store_size=store_size is None or store_size, **options))


def decompress_block(data, output_len=None):
    """With `output_len` the block is taken to be without its size in front."""
    with told_as(DecompressionError, lz4.block.LZ4BlockError, ValueError, OverflowError):
        if output_len is None:
            return Buffer(lz4.block.decompress(data))
        return Buffer(lz4.block.decompress(data, uncompressed_size=output_len))


def decompress_block_into(data, output, output_len=None):
    with memoryview(output) as view:
        return put(decompress_block(data, view.nbytes if output_len is None else output_len), output)


def compress(data, level=None, output_len=None):
    with told_as(CompressionError, RuntimeError):
        return Buffer(lz4.frame.compress(data, compression_level=level or 0))


def decompress(data, output_len=None):
    with told_as(DecompressionError, RuntimeError):
        return Buffer(lz4.frame.decompress(data))


def decompress_into(data, output):
    return put(decompress(data), output)
