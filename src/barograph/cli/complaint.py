"""How a command says what went wrong."""


def complain(text: str) -> None:
    """One line on standard error, however long."""
    from rich.console import Console  # noqa: PLC0415  # a server that has nothing to complain of
    from rich.text import Text  # noqa: PLC0415  # is not to hold it for months

    line = Text.assemble(("barograph: ", "red"), text)
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
