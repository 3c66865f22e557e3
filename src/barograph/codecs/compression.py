"""Undoing `Content-Encoding`, within bounds.

gzip (RFC 1952) and zlib ("deflate", RFC 1950), also of several members one after the other, and
zstd (RFC 8878) of several frames. What is cut short or followed by something else is refused.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import zstandard

from barograph.domain.errors import InvalidInput, MalformedInput, TooLarge
from barograph.domain.limits import KIB, MIB, Limits

_RATIO_FREE_BYTES: Final = 1 * MIB
"""What any body may become whatever its ratio: small repetitive messages compress very well."""

_MEMBERS_MAX: Final = 256
_ZSTD_WINDOW_BYTES_MAX: Final = 8 * MIB  # RFC 9659: what HTTP receivers need to support
# A zstd block of four bytes can stand for 128 KiB; so much input at a time makes 32 MiB at most.
_ZSTD_PIECE_BYTES: Final = 1 * KIB


class UnsupportedEncoding(InvalidInput):
    """The body's `Content-Encoding` is none that Barograph undoes (HTTP 415)."""


def decompress(body: bytes, encoding: bytes, limits: Limits) -> bytes:
    """`body` with its `Content-Encoding`, as the header gives it, undone.

    Raises `UnsupportedEncoding`, `MalformedInput`, or `TooLarge` for what grows beyond
    `decompressed_bytes_max` or, above 1 MiB, beyond `decompression_ratio_max`.
    """
    name = encoding.strip().lower()
    if name in {b"", b"identity"}:
        return body
    undo = _UNDO.get(name)
    if undo is None:
        shown = name[:32].decode("ascii", "backslashreplace")
        raise UnsupportedEncoding.of(
            "Content-Encoding", f"{shown!r} is not supported: use gzip, zstd, deflate or identity"
        )
    try:
        return undo(body, _Room(len(body), limits))
    except (zlib.error, zstandard.ZstdError) as error:
        raise MalformedInput(f"the body is not {name.decode()}: {error}") from None


class _Room:
    """How many bytes may still come out."""

    def __init__(self, body_bytes: int, limits: Limits) -> None:
        by_ratio = max(body_bytes * limits.decompression_ratio_max, _RATIO_FREE_BYTES)
        self.left = min(limits.decompressed_bytes_max, by_ratio)
        self._message = (
            f"the body is more than {limits.decompressed_bytes_max} bytes when decompressed"
            if limits.decompressed_bytes_max <= by_ratio
            else f"the body grows more than {limits.decompression_ratio_max}-fold"
        )

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise TooLarge(f"{self._message}: send it in several requests")


def _undo_zlib(window_bits: int) -> Callable[[bytes, _Room], bytes]:
    def undo(body: bytes, room: _Room) -> bytes:
        parts = []
        for _ in range(_MEMBERS_MAX):
            stream = zlib.decompressobj(window_bits)
            parts.append(stream.decompress(body, room.left + 1))
            room.take(len(parts[-1]))
            if not stream.eof:
                raise MalformedInput("the compressed body is cut short")
            body = stream.unused_data
            if not body:
                return b"".join(parts)
        raise _too_many_members()

    return undo


def _undo_zstd(body: bytes, room: _Room) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES_MAX)
    stream = decompressor.decompressobj()
    parts = []
    frames = 1
    for start in range(0, len(body), _ZSTD_PIECE_BYTES):
        piece = body[start : start + _ZSTD_PIECE_BYTES]
        while piece:
            if stream.eof:
                stream = decompressor.decompressobj()
                frames += 1
                if frames > _MEMBERS_MAX:
                    raise _too_many_members()
            parts.append(stream.decompress(piece))
            room.take(len(parts[-1]))
            piece = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise MalformedInput("the compressed body is cut short")
    return b"".join(parts)


def _too_many_members() -> MalformedInput:
    return MalformedInput(f"the compressed body has more than {_MEMBERS_MAX} members")


_GZIP_BITS: Final = 16 + zlib.MAX_WBITS

_UNDO: Final[Mapping[bytes, Callable[[bytes, _Room], bytes]]] = {
    b"gzip": _undo_zlib(_GZIP_BITS),
    b"x-gzip": _undo_zlib(_GZIP_BITS),
    b"deflate": _undo_zlib(zlib.MAX_WBITS),
    b"zstd": _undo_zstd,
}
