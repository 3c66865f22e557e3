"""The server that a command talks to.

A remote one where `--url` (or BAROGRAPH_URL) names it; else the one that runs on the data
directory; else one that is started for this command in this process, and stopped after it.
"""

import asyncio
import inspect
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from barograph import config
from barograph.cli.running import Announcement, Running, find
from barograph.client import NEVER, Client, NoAnswer
from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.transport.http.server import HttpServer, bind
from barograph.wiring.program import build

P = ParamSpec("P")

_PANEL = "Which server"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="BAROGRAPH_URL",
        help="A server's address, such as https://example.org. Default: the one on --data-dir.",
        rich_help_panel=_PANEL,
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="BAROGRAPH_TOKEN",
        help="A user's or device's token. On this machine none is needed.",
        rich_help_panel=_PANEL,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Where everything is kept.", rich_help_panel=_PANEL),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file with settings.", rich_help_panel=_PANEL),
]


@dataclass(frozen=True, slots=True)
class Target:
    """Which server the command line names."""

    url: str | None = None
    token: str | None = None
    data_dir: Path | None = None
    config_file: Path | None = None

    def settings(self, **more: object) -> Settings:
        """The settings of the installation on this machine."""
        return config.load(self.config_file, data_dir=self.data_dir, **more)


def of_a_server(command: Callable[Concatenate[Target, P], None]) -> Callable[P, None]:
    """Give a command the options that say which server; it gets the `Target` that they name."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> None:
        named: Any = {name: options.pop(name) for name in _options}
        command(Target(**named), *args, **options)

    run.__signature__ = inspect.Signature([*own, *_options.values()])  # type: ignore[attr-defined]  # what `inspect.signature` reads, and so typer
    return run


def _which_server(
    *,
    url: Url = None,
    token: Token = None,
    data_dir: DataDir = None,
    config_file: ConfigFile = None,
) -> None: ...


_options = inspect.signature(_which_server).parameters


@contextmanager
def connected(target: Target) -> Iterator[Client]:
    """A client of the target; raises `ConfigurationError` where there can be none."""
    if target.url is not None:
        with _client(target.url, target.token) as client:
            yield client
        return
    directory = target.settings().data_dir
    running = find(directory)
    if running is not None and _answers(running):
        with _client(running.url, target.token or running.token) as client:
            yield client
        return
    settings = target.settings(host="127.0.0.1", port=0, mqtt=False, log_level="warning")
    with temporary(settings) as started, _client(started.url, started.token) as client:
        yield client


def local(target: Target) -> Running | None:
    """The server that runs on the target's data directory, if one does."""
    running = find(target.settings().data_dir)
    return running if running is not None and _answers(running) else None


def _client(url: str, token: str | None) -> Client:
    try:
        return Client(url, token)
    except ValueError as error:
        raise ConfigurationError(f"--url: {error}") from None


def _answers(running: Running) -> bool:
    """Whether there is a server, and not only what a killed one left behind."""
    with Client(running.url, running.token, retry=NEVER) as client:
        try:
            next(client.devices(), None)
        except NoAnswer:
            return False
    return True


@contextmanager
def temporary(settings: Settings) -> Iterator[Running]:
    """A server in this process, for as long as the `with` lasts.

    It announces itself, so that commands which run meanwhile find it.
    """
    sockets = bind(settings.host, settings.port)
    try:
        program = build(settings)
    except BaseException:
        for one in sockets:
            one.close()
        raise
    server = HttpServer(program.app, sockets, program.core.limits, program.shortcut)
    thread = threading.Thread(target=lambda: asyncio.run(server.run()), name="server")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    token = program.access.operator_token
    announcement = Announcement(settings.data_dir, url, token, None)
    try:
        thread.start()
        try:
            with announcement:
                yield Running(url, token, os.getpid())
        finally:
            server.stop()
            thread.join()
    finally:
        program.close()
