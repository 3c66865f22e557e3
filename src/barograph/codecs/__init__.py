"""Bytes to readings and readings to bytes, one dialect a file; no I/O."""

from barograph.codecs.compression import UnsupportedEncoding, decompress
from barograph.codecs.decoded import Decoded
from barograph.codecs.dialects import Decode, decoder_for
from barograph.codecs.rows import encode_csv, encode_json, encode_ndjson, rows
from barograph.codecs.value import decode_value

__all__ = [
    "Decode",
    "Decoded",
    "UnsupportedEncoding",
    "decode_value",
    "decoder_for",
    "decompress",
    "encode_csv",
    "encode_json",
    "encode_ndjson",
    "rows",
]
