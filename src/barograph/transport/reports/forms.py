"""Every form of a report. What makes one is imported when the first such report is asked for."""

from collections.abc import Mapping
from importlib import import_module

from barograph.domain.report import FORMS, Form
from barograph.services.report_document import Document
from barograph.services.reports import Render


def _form(name: Form) -> Render:
    def render(document: Document) -> bytes:
        # Together they take 40 MB and half a second, which a server that makes none need not pay.
        made: bytes = import_module(f"barograph.transport.reports.{name}_form").render(document)
        return made

    return render


RENDERERS: Mapping[Form, Render] = {name: _form(name) for name in FORMS}
