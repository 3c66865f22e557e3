"""A report as JSON: its figures as they are kept."""

import msgspec

from barograph.services.report_document import Document


def render(document: Document) -> bytes:
    """The document."""
    return msgspec.json.encode(document)
