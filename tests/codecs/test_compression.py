"""Content-Encoding undone within bounds."""

import gzip
import os
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from barograph.codecs import UnsupportedEncoding, decompress
from barograph.domain.errors import InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import MIB, Limits

COMPRESS = {b"gzip": gzip.compress, b"zstd": zstandard.compress, b"deflate": zlib.compress}
each = pytest.mark.parametrize("encoding", sorted(COMPRESS))


@each
@given(body=st.binary(max_size=3000))
def test_what_was_compressed_comes_back(encoding, body, limits):
    assert decompress(COMPRESS[encoding](body), encoding, limits) == body


@each
def test_several_members_are_one_body(encoding, limits):
    parts = [b"one,", b"", b"two"]
    assert decompress(b"".join(map(COMPRESS[encoding], parts)), encoding, limits) == b"one,two"


@each
def test_a_large_body_comes_back(encoding, limits):
    body = os.urandom(300_000) * 2
    assert decompress(COMPRESS[encoding](body), encoding, limits) == body


def test_a_zstd_stream_of_unknown_size_comes_back(limits):
    stream = zstandard.ZstdCompressor().compressobj()
    body = stream.compress(b"abc" * 1000) + stream.flush()
    assert decompress(body, b"zstd", limits) == b"abc" * 1000


@pytest.mark.parametrize("encoding", [b"", b"identity", b" Identity "])
def test_identity_is_left_alone(encoding, limits):
    assert decompress(b"{}", encoding, limits) == b"{}"


@pytest.mark.parametrize("encoding", [b"GZIP", b" gzip ", b"x-gzip"])
def test_names_are_read_without_case_and_blanks(encoding, limits):
    assert decompress(gzip.compress(b"{}"), encoding, limits) == b"{}"


@each
def test_every_cut_is_noticed(encoding, limits):
    body = COMPRESS[encoding](b'{"x": 1.5}' * 20)
    for end in range(len(body)):
        with pytest.raises(MalformedInput):
            decompress(body[:end], encoding, limits)


@each
@pytest.mark.parametrize("tail", [b"x", b"garbage that is long enough for any header", b"\0"])
def test_what_follows_is_noticed(encoding, tail, limits):
    with pytest.raises(MalformedInput):
        decompress(COMPRESS[encoding](b"{}") + tail, encoding, limits)


@each
@given(body=st.binary(max_size=100))
def test_arbitrary_bytes_are_read_or_refused(encoding, body, limits):
    try:
        decompress(body, encoding, limits)
    except (MalformedInput, TooLarge):
        return


@each
def test_small_bodies_may_have_any_ratio(encoding, limits):
    body = bytes(MIB)
    assert decompress(COMPRESS[encoding](body), encoding, limits) == body


@each
def test_bombs_are_refused(encoding, limits):
    with pytest.raises(TooLarge, match="100-fold"):
        decompress(COMPRESS[encoding](bytes(40 * MIB)), encoding, limits)
    small = Limits(decompressed_bytes_max=MIB, body_bytes_max=MIB)
    noise = os.urandom(MIB)
    assert decompress(COMPRESS[encoding](noise), encoding, small) == noise
    for more in (
        COMPRESS[encoding](noise + b"x"),
        COMPRESS[encoding](noise) + COMPRESS[encoding](b"x"),
    ):
        with pytest.raises(TooLarge, match="1048576 bytes"):
            decompress(more, encoding, small)


@each
def test_masses_of_members_are_refused(encoding, limits):
    with pytest.raises(MalformedInput, match="256 members"):
        decompress(COMPRESS[encoding](b"") * 1000, encoding, limits)


def test_a_zstd_window_beyond_what_http_allows_is_refused(limits):
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    body = stream.compress(os.urandom(1000)) + stream.flush()
    with pytest.raises(MalformedInput):
        decompress(body, b"zstd", limits)


@pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip", b"\xff"])
def test_other_encodings_are_refused_by_name(encoding, limits):
    with pytest.raises(UnsupportedEncoding, match="use gzip, zstd, deflate") as caught:
        decompress(b"{}", encoding, limits)
    assert isinstance(caught.value, InvalidInput)
