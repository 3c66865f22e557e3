"""The command line: `barograph`."""

from barograph.cli.main import app, main

__all__ = ["app", "main"]
