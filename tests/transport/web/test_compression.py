"""Pages on their way."""

import zlib

import pytest
import zstandard

from barograph.transport.web.compression import compress, compress_parts, encoding_for

PARTS = [b"the head and the chart " * 50, b"", b"the rest " * 20]
UNDO = {
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
}


@pytest.mark.parametrize("encoding", UNDO)
def test_every_part_can_be_read_as_soon_as_it_is_there(encoding):
    undo = UNDO[encoding]()
    *sent, end = compress_parts(encoding, iter(PARTS))
    assert [undo.decompress(part) for part in sent] == PARTS
    assert undo.decompress(end) == b""
    assert undo.eof


@pytest.mark.parametrize("encoding", UNDO)
def test_a_page_in_one_piece_is_smaller_and_the_same(encoding):
    body = b"".join(PARTS)
    sent = compress(encoding, body)
    assert len(sent) < len(body) / 5
    assert UNDO[encoding]().decompress(sent) == body


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0", "gzip"),
        ("GZIP", "gzip"),
        ("br", None),
        ("gzipped, zstd2", None),
        ("", None),
    ],
)
def test_browsers_get_what_they_read(header, encoding):
    assert encoding_for(header) == encoding
