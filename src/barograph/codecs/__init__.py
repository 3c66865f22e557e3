"""Bytes to readings and readings to bytes, one dialect a file; no I/O."""

from barograph.codecs.compression import UnsupportedEncoding, decompress
from barograph.codecs.decoded import TIME_KEYS, Decoded
from barograph.codecs.dialects import Decode, decoder_for
from barograph.codecs.value import decode_value

__all__ = [
    "TIME_KEYS",
    "Decode",
    "Decoded",
    "UnsupportedEncoding",
    "decode_value",
    "decoder_for",
    "decompress",
]
