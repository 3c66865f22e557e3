"""How a command says what went wrong."""


def complain(text: str) -> None:
    """One line on standard error, however long."""
    from rich.console import Console  # noqa: PLC0415  # not for servers that have no complaint
    from rich.text import Text  # noqa: PLC0415  # as above

    line = Text.assemble(("barograph: ", "red"), text)
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
