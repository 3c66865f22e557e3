"""Writes the pages of the documentation that the program itself knows best.

`make docs` runs it; `tests/docs/test_generated.py` holds the committed pages to it.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from rich.text import Text

from barograph import config
from barograph.cli.commands import app
from barograph.domain.length import length_text
from barograph.domain.limits import Limits
from barograph.transport.mqtt.asyncapi import describe, servers_at

HERE = Path(__file__).parent

_SETTINGS = """\
# Settings

Written by `make docs`; do not edit.

A setting is looked up in four places, the later wins: its default, the TOML file
(`barograph serve --config barograph.toml`), the environment, the command line. In the file a setting
stands under its name, the limits in a table of their own:

```toml
port = 8080
timezone = "Europe/Berlin"
retention = "365d"

[limits]
body_bytes_max = 4194304
```

Lengths of time are written as `30s`, `5m`, `1h`, `30d`. `barograph config` prints every setting with
the value in force and where it came from; the server warns of a variable that begins with `BAROGRAPH_` and is no setting.

"""


def settings() -> str:
    """The page of settings and limits."""
    rows = list(config.entries())
    plain = [row for row in rows if not row.name.startswith("limits.")]
    limits = [row for row in rows if row.name.startswith("limits.")]
    return (
        _SETTINGS
        + _table(plain)
        + "\n## Limits\n\nThe unit is the last word of the name but `max` and `min`.\n\n"
        + _table(limits)
    )


def _table(rows: list[config.Entry]) -> str:
    lines = ["| setting | default | environment | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | `{_shown(row)}` | `{row.environment}` | {row.help} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def _shown(row: config.Entry) -> str:
    value = row.default
    if row.is_length:
        return length_text(value)
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return str(value)


def commands() -> str:
    """The page of the command line."""
    parts = ["# Commands\n\nWritten by `make docs`; do not edit.\n"]
    parts += [
        f"\n## {name}\n\n```\n{text}\n```\n" for name, text in _helps(typer.main.get_command(app))
    ]
    return "".join(parts)


def _helps(command: Any, path: str = "barograph") -> Iterator[tuple[str, str]]:
    context = command.make_context(path, [], resilient_parsing=True)
    lines = command.get_usage(context) + "\n\n" + _plain(command.help or "").strip()
    options = [
        f"  {', '.join(parameter.opts)}{_default(parameter)}\n      {_plain(parameter.help)}"
        for parameter in command.params
        if getattr(parameter, "help", None) and not parameter.hidden
    ]
    yield path, "\n".join([lines, "", *options]).rstrip()
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        yield from _helps(inner, f"{path} {name}")


def _plain(help: str) -> str:
    """The help without its marks for a terminal."""
    return Text.from_markup(help).plain


def _default(parameter: Any) -> str:
    default = parameter.default
    return f" (default {default})" if isinstance(default, str | int | float) and default else ""


def asyncapi() -> str:
    """The description of the MQTT interface with the default settings."""
    described = describe([], Limits(), servers_at("http://localhost:8000/", 1883))
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


PAGES = {"settings.md": settings, "commands.md": commands, "asyncapi.json": asyncapi}


def main() -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
