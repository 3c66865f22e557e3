"""Where the program begins, and how its errors are told."""

import os
import sys
from collections.abc import Sequence

from barograph.cli.complaint import complain
from barograph.cli.memory import growing
from barograph.domain.errors import BarographError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments, by default the program's, name; ends by `SystemExit`.

    An expected error is told in a line or a few: status 1 where a server said it, 2 otherwise.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.exit(_run(given))
    except BarographError as error:
        complain(str(error))
        sys.exit(2)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"]:
        with growing():
            # A server runs for months: it is not to hold the other commands and what they import.
            from barograph.cli.serve import serve  # noqa: PLC0415  # not for the other commands
            from barograph.cli.top import new_app  # noqa: PLC0415  # as above

            app = new_app()
            app.command("serve")(serve)
            app(arguments)
        return 0
    from barograph.cli.commands import run  # noqa: PLC0415  # not for a server

    return run(arguments)
