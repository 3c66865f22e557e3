"""What people may call things, and the JSON objects that they may hang on them.

The patterns are written so that Python, Rust (which checks request bodies) and ECMAScript (which
reads the API's schema) agree on them.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from barograph.domain.errors import InvalidInput
from barograph.domain.limits import KIB

NAME_CHARS_MAX = 128
USERNAME_CHARS_MAX = 64
KIND_CHARS_MAX = 64
EMAIL_CHARS_MAX = 254
ATTRIBUTES_BYTES_MAX = 16 * KIB

# Control characters, separators of lines, and invisible characters that turn or join what stands
# beside them, with which one name can be made to look like another.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff"
_BLANK = r"\x20\xa0\u1680\u2000-\u200a\u202f\u205f\u3000"

NAME_PATTERN = rf"^[^{_UNSEEN}{_BLANK}](?:[^{_UNSEEN}]*[^{_UNSEEN}{_BLANK}])?$"
"""A line of printable text without blanks around it."""

EMAIL_PATTERN = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\u1fff-]{1,64}"
    r"@(?:[A-Za-z0-9\u00a1-\u1fff](?:[A-Za-z0-9\u00a1-\u1fff-]{0,61}[A-Za-z0-9\u00a1-\u1fff])?\.)+"
    r"[A-Za-z0-9\u00a1-\u1fff](?:[A-Za-z0-9\u00a1-\u1fff-]{0,61}[A-Za-z0-9\u00a1-\u1fff])$"
)
"""What stands before one @ and a domain with a dot. Whether mail arrives only mail can tell."""

_NAME = re.compile(NAME_PATTERN[:-1] + r"\Z")
_EMAIL = re.compile(EMAIL_PATTERN[:-1] + r"\Z")


def check_name(at: str, name: str, chars_max: int = NAME_CHARS_MAX) -> str:
    """`name` if something may be called so; raises `InvalidInput` naming `at`."""
    if not name or len(name) > chars_max:
        raise InvalidInput.of(at, f"use 1 to {chars_max} characters")
    if not _NAME.match(name) or not _encodable(name):
        raise InvalidInput.of(at, "use printable characters, without blanks around them")
    return name


def check_email(email: str, at: str = "email") -> str:
    """`email` if it looks like an address; raises `InvalidInput` naming `at`."""
    if len(email) > EMAIL_CHARS_MAX or not _EMAIL.match(email):
        raise InvalidInput.of(
            at, f"{email[:64]!r} is not an e-mail address, such as name@example.org"
        )
    return email


def check_attributes(attributes: Mapping[str, Any], depth_max: int) -> Mapping[str, Any]:
    """`attributes` if every catalog can keep them; raises `InvalidInput`."""
    check_json_value("attributes", attributes, depth_max, ATTRIBUTES_BYTES_MAX)
    return attributes


def check_json_value(at: str, value: Any, depth_max: int, bytes_max: int) -> None:
    """Raise `InvalidInput` naming `at` unless `value` is JSON that every catalog can keep."""
    _check_value(value, at, depth_max)
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > bytes_max:
        raise InvalidInput.of(at, f"at most {bytes_max} bytes of JSON, not {size}")


def _check_value(value: Any, at: str, depth: int) -> None:
    if depth < 0:
        raise InvalidInput.of(at, "this is nested too deeply")
    if isinstance(value, str):
        if not _encodable(value):
            raise InvalidInput.of(at, "a string has no half of a surrogate pair")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            _check_value(key, at, depth)
            _check_value(inner, f"{at}.{key[:32]}", depth - 1)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            _check_value(inner, f"{at}[{i}]", depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput.of(at, "a number is finite")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
