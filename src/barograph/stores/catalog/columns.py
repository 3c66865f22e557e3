"""Column types that mean the same on SQLite, PostgreSQL, MySQL and MariaDB.

Where the databases differ by nature, the type takes the difference in: MySQL compares text without
regard to case, accents and trailing blanks unless told otherwise, cannot index a BLOB, keeps 64 KiB
in a TEXT, and its JSON reorders keys and rewrites numbers.
"""

import json
from importlib import import_module
from types import ModuleType
from typing import Any, cast

from sqlalchemy import BigInteger, Integer, LargeBinary, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

_ID_MAX = 2**63 - 1
_NO_ID = -1


class Id(TypeDecorator[int]):
    """The number of a row; a number too large to be one is looked up as one that no row has."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # Only what SQLite knows as INTEGER can be its AUTOINCREMENT key.
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: int | None, _dialect: Dialect) -> int | None:
        return value if value is None or 0 <= value <= _ID_MAX else _NO_ID


class Word(TypeDecorator[str]):
    """Text of at most `length` characters, equal only when every character is."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        length = cast("String", self.impl_instance).length
        if not _is_mysql(dialect):
            return dialect.type_descriptor(String(length))
        # Both count trailing blanks; the plain utf8mb4_bin does not.
        exact = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        return dialect.type_descriptor(_mysql().VARCHAR(length, charset="utf8mb4", collation=exact))


class _LongText(TypeDecorator[str]):
    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_long_text(dialect))


class _LongBlob(TypeDecorator[bytes]):
    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_mysql().LONGBLOB() if _is_mysql(dialect) else LargeBinary())


class _Digest(TypeDecorator[bytes]):
    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(
            _mysql().VARBINARY(32) if _is_mysql(dialect) else LargeBinary(32)
        )


class Json(TypeDecorator[Any]):
    """A JSON value, kept as its text; None is NULL. Infinity and NaN raise `ValueError`."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_long_text(dialect))

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        return None if value is None else dump_json(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


LONG_TEXT = _LongText()

LONG_BLOB = _LongBlob()

DIGEST = _Digest()
"""A SHA-256."""


def _is_mysql(dialect: Dialect) -> bool:
    return dialect.name in {"mysql", "mariadb"}


def _mysql() -> ModuleType:
    """MySQL's own types, which take megabytes, only where there is a MySQL."""
    return import_module("sqlalchemy.dialects.mysql")


def _long_text(dialect: Dialect) -> TypeEngine[Any]:
    return _mysql().LONGTEXT(charset="utf8mb4") if _is_mysql(dialect) else Text()


def dump_json(value: Any) -> str:
    """The text of a JSON value in ASCII, so that no character of it can be refused.

    Raises `ValueError` or `TypeError` for what JSON cannot say.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
