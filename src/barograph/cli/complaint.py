"""How a command says what went wrong."""

from rich.console import Console
from rich.text import Text


def complain(text: str) -> None:
    """One line on standard error, however long."""
    line = Text.assemble(("barograph: ", "red"), text)
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
