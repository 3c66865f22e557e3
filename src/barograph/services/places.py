"""Where a reading stands, as an opaque word that clients may keep.

A reading's id is made of its series and time, which never change; a cursor is the place of the
last reading of a page and the order in which the pages go. Neither is a secret or a right.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

from barograph.domain.errors import InvalidInput
from barograph.domain.time import TIME_MAX

_ID = struct.Struct(">IQ")
_CURSOR = struct.Struct(">?QQ")


def encode_reading_id(series: int, time: int) -> str:
    """The id of the reading of this series and time: 16 letters, digits, - and _."""
    return urlsafe_b64encode(_ID.pack(series, time)).decode()


def decode_reading_id(text: str) -> tuple[int, int] | None:
    """The series and time that `encode_reading_id` was given; None for any other text."""
    found = _unpack(_ID, text)
    return None if found is None or found[1] >= TIME_MAX else (found[0], found[1])


def encode_cursor(time: int, series: int, *, descending: bool) -> str:
    """The cursor of the page after the reading at this place."""
    return urlsafe_b64encode(_CURSOR.pack(descending, time, series)).decode().rstrip("=")


def decode_cursor(text: str, *, descending: bool) -> tuple[int, int]:
    """The (time, series) of the reading before the page; raises `InvalidInput`."""
    found = _unpack(_CURSOR, text)
    if found is None or found[1] >= TIME_MAX or found[2] >= 1 << 63:
        raise InvalidInput.of("cursor", "this is not a cursor: use `next` of the page before")
    if found[0] != descending:
        raise InvalidInput.of("cursor", "this cursor belongs to the other order")
    return found[1], found[2]


def _unpack(form: struct.Struct, text: str) -> tuple[int, ...] | None:
    """What the form holds; None unless `text` is exactly what encoding that gives."""
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = form.unpack(packed)
    except (Error, ValueError, struct.error):
        return None
    return found if urlsafe_b64encode(form.pack(*found)).decode().rstrip("=") == text else None
