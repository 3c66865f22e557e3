"""The command line: `barograph`."""

from barograph.cli.main import main

__all__ = ["main"]
