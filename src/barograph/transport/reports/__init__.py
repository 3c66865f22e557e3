"""The forms that a report is read in: a page, a document, tables."""
