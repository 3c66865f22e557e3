"""Values as the catalog compares, searches and checks them, the same on every database."""

import unicodedata
from typing import Any

from sqlalchemy import ColumnElement, false, or_

from barograph.domain.errors import InvalidInput
from barograph.stores.catalog.columns import dump_json
from barograph.stores.catalog.schema import FOLDED_CHARS_MAX


def fold(text: str) -> str:
    """What texts that differ in case or in the composing of characters have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def check_text(at: str, text: str, chars_max: int) -> str:
    """`text` if every database can keep it whole; raises `InvalidInput` naming `at`."""
    if len(text) > chars_max or len(fold(text)) > FOLDED_CHARS_MAX:
        raise InvalidInput.of(at, f"has at most {chars_max} characters, not {len(text)}")
    if not storable(text):
        raise InvalidInput.of(at, "has neither the character NUL nor half of a surrogate pair")
    return text


def check_json(at: str, value: Any) -> Any:
    """`value` if JSON can say it; raises `InvalidInput` naming `at`."""
    try:
        dump_json(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInput.of(at, f"cannot be written as JSON: {error}") from error
    return value


def storable(text: str) -> bool:
    """Whether the text is free of NUL, which PostgreSQL refuses, and of what UTF-8 cannot write."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def make_storable(text: str) -> str:
    """`text` with what is not storable written as an escape."""
    escaped = text.replace("\x00", "\\x00")
    return escaped.encode("utf-8", "backslashreplace").decode("utf-8")


def same(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """That the column is exactly `text`, which may be anything."""
    return column == text if storable(text) else false()


def contains(search: str, *folded: ColumnElement[str]) -> ColumnElement[bool]:
    """That one of the folded columns contains `search`, taken literally, without case."""
    part = fold(search)
    if len(part) > FOLDED_CHARS_MAX or not storable(part):
        return false()
    return or_(*(column.contains(part, autoescape=True) for column in folded))
