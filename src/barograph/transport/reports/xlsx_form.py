"""A report as a workbook: the whole period, and the buckets on a sheet of their own."""

import io
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]  # it ships no types

from barograph.services.report_document import TABLE_COLUMNS, Document, Figures, Part, Section
from barograph.transport.reports.words import Words

_WIDTHS = (9, 7, 24, 22, 9, 27, 27)


def render(document: Document) -> bytes:
    """The workbook; numbers are numbers in it, and text is never a formula."""
    words = Words.of(document.language)
    written = io.BytesIO()
    book = xlsxwriter.Workbook(
        written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"title": document.name, "comments": words.period(document)})
    bold = book.add_format({"bold": True, "bottom": 1})
    _sheet(book, words.text("Summary"), document, bold, parts=False)
    if document.interval is not None:
        _sheet(book, words.text("Course"), document, bold, parts=True)
    book.close()
    return written.getvalue()


def _sheet(book: Any, name: str, document: Document, bold: Any, *, parts: bool) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 4)
    columns = (*TABLE_COLUMNS, *document.statistics)
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column, bold)
        sheet.set_column(place, place, _WIDTHS[place] if place < len(_WIDTHS) else 12)
    at = 0
    for section in document.sections:
        for figures in section.metrics:
            for part in figures.parts if parts else (figures.whole,):
                at += 1
                _row(sheet, at, section, figures, part)
    sheet.autofilter(0, 0, max(1, at), len(columns) - 1)


def _row(sheet: Any, at: int, section: Section, figures: Figures, part: Part) -> None:
    named = figures.label or figures.metric
    unit = figures.unit or ""
    cells = (section.kind, section.id, section.name, named, unit, part.start, part.end)
    for place, value in enumerate((*cells, *part.values)):
        if isinstance(value, str):
            sheet.write_string(at, place, value)
        elif value is not None:
            sheet.write_number(at, place, value)
