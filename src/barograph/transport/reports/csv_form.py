"""A report as CSV: one row for each metric, or for each of its buckets."""

import csv
import io

from barograph.domain.statistic import Scalar
from barograph.services.report_document import TABLE_COLUMNS, Document, table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(document: Document) -> bytes:
    """UTF-8 with a byte order mark, without which spreadsheets misread letters beyond ASCII."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow([*TABLE_COLUMNS, *document.statistics])
    for row in table(document):
        writer.writerow([_cell(value) for value in row])
    return written.getvalue().encode("utf-8-sig")


def _cell(value: Scalar) -> object:
    """Text is kept from being run as a formula by the spreadsheet that opens it."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else repr(value)
