"""`barograph config`: every setting, its value, and where that came from."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from barograph import config
from barograph.cli.output import print_table, say
from barograph.cli.target import ConfigFile
from barograph.config import Entry, Settings
from barograph.domain.length import length_text

_PASSWORD = re.compile(r'(://)[^/]*(?=@)|([?&](?:ssl)?password=)[^&"]*')


def show_config(
    *,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print a file to start from, all commented out.")
    ] = False,
    config_file: ConfigFile = None,
) -> None:
    """Show every setting: its value, where it came from, its default and what it means.

    [dim]Example:[/dim] barograph config --toml > barograph.toml
    """
    if toml:
        say("\n".join(_toml()))
        return
    settings = config.load(config_file)
    file = {} if config_file is None else tomllib.loads(config_file.read_text())
    print_table(
        ("setting", "value", "from", "default", "environment", "meaning"),
        [
            (
                entry.name,
                _text(entry, _value(settings, entry.name)),
                _source(entry, file, config_file),
                _text(entry, entry.default),
                entry.environment,
                entry.help,
            )
            for entry in config.entries()
        ],
    )


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for step in name.split("."):
        value = getattr(value, step)
    return value


def _source(entry: Entry, file: Mapping[str, Any], path: Path | None) -> str:
    if entry.environment in os.environ:
        return "environment"
    table: Any = file
    for step in entry.name.split("."):
        if not isinstance(table, Mapping) or step not in table:
            return "default"
        table = table[step]
    return str(path)


def _text(entry: Entry, value: Any) -> str:
    """The value as it stands in the environment."""
    if value is None:
        return ""
    if isinstance(value, frozenset | tuple):
        return ",".join(_listed(value))
    if isinstance(value, dict):
        return _hidden(json.dumps(value))
    if entry.is_length:
        return length_text(value)
    if entry.name.endswith("_secret") and value:
        return "***"
    return _hidden(str(value))


def _hidden(text: str) -> str:
    """The text without the passwords of its URLs."""
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", text)


def _listed(value: frozenset[str] | tuple[str, ...]) -> list[str]:
    return sorted(value) if isinstance(value, frozenset) else list(value)


def _toml() -> Iterator[str]:
    yield "# Settings of Barograph. The environment and the command line win over this file."
    table = ""
    for entry in sorted(config.entries(), key=lambda entry: "." in entry.name):
        name = entry.name
        if "." in name:
            named, _, name = name.partition(".")
            if named != table:
                table = named
                yield ""
                yield f"[{table}]"
        yield ""
        yield from (f"# {line}" for line in entry.help.splitlines())
        yield f"# {name} = {_toml_value(entry)}".rstrip()


def _toml_value(entry: Entry) -> str:
    value = entry.default
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float) and not entry.is_length:
        return str(value)
    if isinstance(value, frozenset | tuple):
        return "[" + ", ".join(f'"{one}"' for one in _listed(value)) + "]"
    if isinstance(value, dict):
        return "{}"
    return '"' + _text(entry, value).replace("\\", "\\\\").replace('"', '\\"') + '"'
