"""CSV, NDJSON and Parquet as rows, some at a time, in bounded memory."""

import csv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import msgspec

from barograph.codecs.csv_cells import read_cell
from barograph.domain.errors import InvalidInput, MalformedInput

ROWS = 10_000
"""Rows of one chunk."""

_DELIMITERS = ",;\t"
_EDGE_BYTES = 1 << 16
_LINE_BYTES_MAX = 1 << 24
_MEMORY = "256MB"

Row = tuple[int, Mapping[str, Any]]
"""The row's place (a line, or of Parquet the number of the row, from 1) and its cells."""


Meaning = Callable[[str], Any]
"""What a text of the file means: of CSV, where all is text, perhaps a number."""


def _itself(text: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, and how far the file is read after them (bytes, or rows of Parquet)."""

    rows: list[Row]
    position: int


class TextFile:
    """A CSV or NDJSON file, UTF-8. Positions are bytes; rows are counted by line."""

    place = "line"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.position = 0
        self.meaning: Meaning = _itself

    def chunks(self, after: int = 0) -> Iterator[Chunk]:
        """The rows after row number `after`."""
        with self.path.open("rb") as file:
            rows = islice(self._rows(file), after, None)
            while chunk := list(islice(rows, ROWS)):
                yield Chunk(chunk, self.position)

    def _rows(self, file: BinaryIO) -> Iterator[Row]:
        if self.path.suffix.lower() == ".csv" or self._looks_like_csv():
            return self._csv(file)
        return self._ndjson(file)

    def _looks_like_csv(self) -> bool:
        return self.path.suffix.lower() in {".tsv", ".txt"}

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        number = 0
        while line := file.readline(_LINE_BYTES_MAX):
            number += 1
            self.position += len(line)
            if len(line) == _LINE_BYTES_MAX:
                raise self._wrong(number, "a line is at most 16 MiB", kind=MalformedInput)
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise self._wrong(number, f"this is not UTF-8: {error}") from None

    def _csv(self, file: BinaryIO) -> Iterator[Row]:
        lines = self._lines(file)
        first = next(lines, "")
        if not first.strip():
            raise self._wrong(1, "there is no header row: expected one such as ts,temperature")
        delimiter = max(_DELIMITERS, key=first.count)
        self.meaning = partial(read_cell, decimal_comma=delimiter == ";")
        header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
        if len(set(header)) < len(header):
            raise self._wrong(1, "a column is there twice")
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        number = 2
        try:
            for cells in reader:
                if cells and (len(cells) > 1 or cells[0].strip()):
                    if len(cells) != len(header):
                        raise self._wrong(
                            number, f"there are {len(cells)} cells, and {len(header)} columns"
                        )
                    yield number, dict(zip(header, cells, strict=True))
                number = reader.line_num + 2
        except csv.Error as error:
            raise self._wrong(number, f"this is not CSV: {error}") from None

    def _ndjson(self, file: BinaryIO) -> Iterator[Row]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        for number, line in enumerate(self._lines(file), 1):
            if line.strip():
                try:
                    yield number, decode(line)
                except msgspec.DecodeError as error:
                    raise self._wrong(number, f"this is not a JSON object: {error}") from None

    def _wrong(
        self, number: int, message: str, kind: type[MalformedInput] = MalformedInput
    ) -> MalformedInput:
        return kind(f"{self.path}, line {number}: {message}")


class ParquetFile:
    """A Parquet file. Positions are rows. Read in slices, each by a query of its own."""

    place = "row"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.meaning: Meaning = _itself
        self._database = duckdb.connect(
            config={"memory_limit": _MEMORY, "threads": 1, "autoinstall_known_extensions": False}
        )
        try:
            self._columns = self._describe()
            counted = self._ask("SELECT count(*) FROM read_parquet(?)", [str(path)])
        except duckdb.Error as error:
            self._database.close()
            told = str(error).splitlines()[0]
            raise MalformedInput(f"{path} cannot be read as Parquet: {told}") from None
        self.size: int = counted[0][0]

    def chunks(self, after: int = 0) -> Iterator[Chunk]:
        """The rows after row number `after`."""
        names = [name for name, _ in self._columns]
        chosen = ", ".join(_expression(name, kind) for name, kind in self._columns)
        sql = (
            f"SELECT {chosen} FROM read_parquet(?, file_row_number = true) "  # noqa: S608  # quoted names
            "WHERE file_row_number >= ? AND file_row_number < ? ORDER BY file_row_number"
        )
        try:
            for start in range(after, self.size, ROWS):
                found = self._ask(sql, [str(self.path), start, start + ROWS])
                rows: list[Row] = [
                    (start + i, dict(zip(names, cells, strict=True)))
                    for i, cells in enumerate(found, 1)
                ]
                yield Chunk(rows, min(start + ROWS, self.size))
        except duckdb.Error as error:
            told = str(error).splitlines()[0]
            raise MalformedInput(f"{self.path} cannot be read: {told}") from None
        finally:
            self._database.close()

    def _describe(self) -> list[tuple[str, str]]:
        described = self._ask("DESCRIBE SELECT * FROM read_parquet(?)", [str(self.path)])
        return [(row[0], row[1]) for row in described]

    def _ask(self, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        return self._database.execute(sql, parameters).fetchall()


def _expression(name: str, kind: str) -> str:
    quoted = '"' + name.replace('"', '""') + '"'
    if kind == "TIMESTAMP WITH TIME ZONE":  # DuckDB needs another library to give these out
        return f"epoch_us({quoted})"
    if kind.startswith("DECIMAL"):
        return f"CAST({quoted} AS DOUBLE)"
    return quoted


File = TextFile | ParquetFile


def opened(path: Path) -> File:
    """The file, read as its name says; raises `InvalidInput`, `MalformedInput`."""
    if not path.is_file():
        raise InvalidInput.of(str(path), "there is no such file")
    match path.suffix.lower():
        case ".parquet" | ".pq":
            return ParquetFile(path)
        case ".csv" | ".tsv" | ".txt" | ".ndjson" | ".jsonl":
            return TextFile(path)
        case other:
            raise InvalidInput.of(
                str(path),
                f"the name ends with {other or 'nothing'}: CSV (.csv, .tsv), NDJSON (.ndjson, "
                ".jsonl) and Parquet (.parquet) can be read",
            )


def fingerprint(path: Path) -> str:
    """What tells whether the file is the same: its size, and a digest of both its ends."""
    size = path.stat().st_size
    digest = sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()
