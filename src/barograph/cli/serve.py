"""`barograph serve`: start the server."""

import asyncio
import itertools
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer

from barograph import config
from barograph.cli.complaint import complain
from barograph.cli.memory import settle, settled
from barograph.cli.running import Announcement
from barograph.cli.supervisor import Link, Supervisor
from barograph.config import Settings
from barograph.domain.errors import BarographError, ConfigurationError
from barograph.transport.http.access import is_loopback
from barograph.transport.http.deadlines import WebSockets
from barograph.transport.http.server import HttpServer, bind, bind_each
from barograph.transport.http.siblings import siblings
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.giving_away import GivenAway, giving_pair
from barograph.transport.web.snippets import MqttAddress
from barograph.wiring.processes import Place, check_processes
from barograph.wiring.program import Program, build
from barograph.wiring.stores import prepare

logger = logging.getLogger(__name__)

MQTT_PORT = 1883
MQTT_WEBSOCKET_PATH = b"/mqtt"
_MQTT_PORTS_TRIED = 100
_SWITCH_SECONDS = 0.001
"""How long the event loop may hold the interpreter while the writer waits for it. Python's 5 ms
would be most of a commit's time."""

_FINISH_SECONDS = 0.1
"""From the start to the making of the routes: who waited for the server is answered first."""


@dataclass(frozen=True, slots=True)
class MqttSockets:
    """The listening sockets of MQTT."""

    plain: list[socket.socket]
    tls: list[socket.socket]
    taking: socket.socket | None = None
    """Where other processes' connections come to the first of several."""
    giving: socket.socket | None = None
    """Where the others give them away."""

    @property
    def port(self) -> int | None:
        """Where it is served without TLS."""
        return _port_of(self.plain)

    @property
    def tls_port(self) -> int | None:
        """Where it is served with TLS."""
        return _port_of(self.tls)


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.", metavar="ADDR"),
    ] = None,
    port: Annotated[int | None, typer.Option(help="HTTP port; 0 takes a free one.")] = None,
    mqtt_port: Annotated[
        int | None,
        typer.Option(help="MQTT port; 0 takes a free one. Default: 1883, or the next free one."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept. Default: ./data")
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="A TOML file with settings.")
    ] = None,
    auth: Annotated[
        Literal["auto", "required", "open"] | None,
        typer.Option(help="Who needs a credential; see barograph config."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes on the one port; more than one need a database server.", min=1
        ),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="How much to log.")
    ] = None,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Show a house, a weather mast and cars that do not exist, in a temporary data "
            "directory unless --data-dir names one.",
        ),
    ] = False,
) -> None:
    """Start the server. Ctrl-C stops it; what it accepted is committed first.

    Settings come from the file, then the environment (BAROGRAPH_PORT=8080), then these options;
    the later wins. See [bold]barograph config[/bold] for all of them.
    """
    with ExitStack() as opened:
        if demo and data_dir is None:
            data_dir = Path(opened.enter_context(TemporaryDirectory(prefix="barograph-demo-")))
        settings = config.load(
            config_file,
            host=host,
            port=port,
            mqtt_port=mqtt_port,
            data_dir=data_dir,
            auth=auth,
            workers=workers,
            log_level=log_level,
        )
        _log(settings.log_level)
        for sentence in config.misnamed(os.environ):
            logger.warning(sentence)
        if settings.workers > 1:
            if demo:
                raise ConfigurationError("--demo shows itself in one process: set workers to 1")
            raise typer.Exit(_serve_in_workers(settings, opened))
        sys.setswitchinterval(_SWITCH_SECONDS)
        sockets = bind(settings.host, settings.port)
        for one in sockets:
            opened.callback(one.close)
        mqtt = _bind_mqtt(settings)
        for one in (*mqtt.plain, *mqtt.tls):
            opened.callback(one.close)
        program = build(settings, mqtt_address=_publishing(settings, mqtt))
        opened.callback(program.close)
        if demo:
            _show(program, opened)
        with settled():
            _run(program, settings, sockets, mqtt)
    logger.info("stopped; everything accepted is committed")


def _serve_in_workers(settings: Settings, opened: ExitStack) -> int:
    """Start the workers and keep them running; the exit status."""
    check_processes(settings)
    prepare(settings.data_dir)
    sockets = bind_each(settings.host, settings.port, settings.workers)
    for one in itertools.chain.from_iterable(sockets):
        opened.callback(one.close)
    mqtt = _bind_mqtt(settings)
    for one in (*mqtt.plain, *mqtt.tls):
        opened.callback(one.close)
    pair = giving_pair() if _serves_websocket(settings) else None
    for one in pair or ():
        opened.callback(one.close)
    giving, taking = pair or (None, None)
    mqtt = replace(mqtt, taking=taking)
    none = MqttSockets([], [], giving=giving)
    token = secrets.token_urlsafe(32)
    publishing = _publishing(settings, mqtt)
    directory = Path(opened.enter_context(TemporaryDirectory(prefix="barograph-")))
    known = siblings(directory, settings.workers, opened)

    def arguments(number: int) -> tuple[Any, ...]:
        place = Place(number, token, known[number])
        served = mqtt if number == 0 else none
        return settings.model_dump(), place, sockets[number], served, publishing

    url = _url(settings, sockets[0])

    def when_ready(said: dict[str, Any]) -> None:
        found = Announcement(settings.data_dir, url, token, mqtt.port, mqtt.tls_port)
        opened.enter_context(found)
        _banner(settings, url, mqtt, said["setup"])
        typer.echo(f"  workers    {settings.workers}")

    import barograph.wiring.routes  # noqa: F401, PLC0415  # once for all, before they are forked

    with settled():
        status = Supervisor(settings.workers, work, arguments).run(when_ready)
    logger.info("stopped; everything accepted is committed")
    return status


def work(
    number: int,
    link: Connection,
    given: dict[str, Any],
    place: Place,
    sockets: list[socket.socket],
    mqtt: MqttSockets,
    publishing: MqttAddress | None,
) -> None:
    """One of several processes on a port; what `Supervisor` runs."""
    supervisor = Link(link)
    settings = Settings(**given)
    _log(settings.log_level, f" worker {number}")
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        with ExitStack() as opened:
            program = build(settings, mqtt_address=publishing, place=place)
            opened.callback(program.close)
            websockets = _websockets(program, settings, mqtt)
            server = HttpServer(
                program.app, sockets, program.core.limits, program.shortcut, websockets
            )
            # The link of the set-up is the first one's to give: a new one ends the ones before.
            setup = program.core.accounts.setup_link_token() if number == 0 else None
            ready = partial(supervisor.ready, {"setup": setup})
            with settled(), _runner() as runner:
                runner.run(_until_signal(server, program, mqtt, ready))
    except BarographError as error:
        complain(str(error))
        sys.exit(2)


def _show(program: Program, opened: ExitStack) -> None:
    from barograph.services.demo import Demo  # noqa: PLC0415  # of no use to other servers

    typer.echo("The demo: writing a week of readings …")
    simulated = Demo(program.core)
    opened.callback(simulated.close)
    simulated.start()


def _publishing(settings: Settings, mqtt: MqttSockets) -> MqttAddress | None:
    """Where devices publish."""
    if settings.mqtt_bridge:
        broker = BrokerAddress.parse(settings.mqtt_bridge)
        return MqttAddress(broker.port, broker.tls, broker.host)
    port = mqtt.port or mqtt.tls_port
    return None if port is None else MqttAddress(port, tls=mqtt.port is None)


def _port_of(sockets: list[socket.socket]) -> int | None:
    return sockets[0].getsockname()[1] if sockets else None


def _bind_mqtt(settings: Settings) -> MqttSockets:
    if not settings.mqtt or settings.mqtt_bridge:
        return MqttSockets([], [])
    plain = _bind_plain(settings) if settings.mqtt_plain else []
    tls = []
    if settings.mqtt_tls_certificate is not None:
        tls = bind(settings.host, settings.mqtt_tls_port, "the setting mqtt_tls_port")
    return MqttSockets(plain, tls)


def _bind_plain(settings: Settings) -> list[socket.socket]:
    """Sockets on the port that was asked for, else on the first one free from 1883."""
    if settings.mqtt_port is not None:
        return bind(settings.host, settings.mqtt_port, "--mqtt-port")
    for port in range(MQTT_PORT, MQTT_PORT + _MQTT_PORTS_TRIED):
        try:
            return bind(settings.host, port, "--mqtt-port")
        except ConfigurationError:
            logger.debug("port %d is taken", port)
    return bind(settings.host, 0, "--mqtt-port")


def _run(
    program: Program,
    settings: Settings,
    sockets: list[socket.socket],
    mqtt: MqttSockets,
) -> None:
    websockets = _websockets(program, settings, mqtt)
    server = HttpServer(program.app, sockets, program.core.limits, program.shortcut, websockets)
    url = _url(settings, sockets)
    token = program.access.operator_token
    setup = None if _is_open(settings) else program.core.accounts.setup_link_token()
    with ExitStack() as announced:

        def ready() -> None:
            # Not before: who has read this may stop the server, and is to be understood.
            found = Announcement(settings.data_dir, url, token, mqtt.port, mqtt.tls_port)
            announced.enter_context(found)
            _banner(settings, url, mqtt, setup)

        with _runner() as runner:
            runner.run(_until_signal(server, program, mqtt, ready))


def _serves_websocket(settings: Settings) -> bool:
    return settings.mqtt and settings.mqtt_websocket and not settings.mqtt_bridge


def _websockets(program: Program, settings: Settings, mqtt: MqttSockets) -> WebSockets:
    """Who serves MQTT over WebSocket: the listener, here or in the first of several processes."""
    if not _serves_websocket(settings):
        return {}
    if program.mqtt is not None:
        return {MQTT_WEBSOCKET_PATH: program.mqtt.websocket}
    if mqtt.giving is not None:
        return {MQTT_WEBSOCKET_PATH: partial(GivenAway, mqtt.giving)}
    return {}


def _url(settings: Settings, sockets: list[socket.socket]) -> str:
    return f"http://{_name(settings.host)}:{_port_of(sockets)}"


async def _until_signal(
    server: HttpServer,
    program: Program,
    mqtt: MqttSockets,
    ready: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.stop()
        program.app.streams.close()
        if program.mqtt is not None:
            program.mqtt.stop()
        if program.bridge is not None:
            program.bridge.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    if mqtt.tls and program.mqtt is not None:
        loop.add_signal_handler(signal.SIGHUP, program.mqtt.renew_certificate)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run(ready))
        if program.mqtt is not None:
            group.create_task(program.mqtt.run(mqtt.plain, mqtt.tls, mqtt.taking))
        if program.bridge is not None:
            group.create_task(program.bridge.run())
        group.create_task(_finish_start(program))


async def _finish_start(program: Program) -> None:
    """What readings need not wait for: the routes, which the first page would have to wait for."""
    await asyncio.sleep(_FINISH_SECONDS)

    def finish() -> None:
        _ = program.app.routes
        settle()

    await asyncio.to_thread(finish)


def _runner() -> asyncio.Runner:
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop  # noqa: PLC0415  # there is none on Windows

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def _name(host: str) -> str:
    """The listening address as it stands in a URL that works from this machine."""
    if host in {"0.0.0.0", "::", "", "127.0.0.1"}:  # noqa: S104  # compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _is_open(settings: Settings) -> bool:
    """Whether somebody needs no credential."""
    return settings.auth == "open" or (settings.auth == "auto" and is_loopback(settings.host))


def _banner(settings: Settings, url: str, mqtt: MqttSockets, setup: str | None) -> None:
    say = typer.echo
    say(f"{typer.style('Barograph', bold=True)} is listening on {url}")
    say(f"  dashboard  {url}/")
    say(f"  API docs   {url}/docs")
    if mqtt.port is not None:
        say(f"  MQTT       {_name(settings.host)}:{mqtt.port}{_instead(settings, mqtt.port)}")
    if mqtt.tls_port is not None:
        say(f"  MQTT, TLS  {_name(settings.host)}:{mqtt.tls_port}")
    if settings.mqtt_bridge:
        say(f"  MQTT       by {BrokerAddress.parse(settings.mqtt_bridge)}")
    say(f"  data       {settings.data_dir.absolute()}")
    if is_loopback(settings.host) and settings.auth == "auto":
        say("  access     this machine's user needs no password; others cannot connect")
    elif settings.auth == "open":
        say(f"  access     {_warning('open: whoever can connect may do everything')}")
    else:
        say("  access     every request needs a credential")
        if setup is not None:
            link = typer.style(f"{url}/setup?token={setup}", bold=True)
            say(f"  set up     {link} (works once)")


def _warning(text: str) -> str:
    return typer.style(text, fg="yellow")


def _instead(settings: Settings, mqtt_port: int) -> str:
    if settings.mqtt_port is not None or mqtt_port == MQTT_PORT:
        return ""
    return _warning(f" (another program uses {MQTT_PORT}; choose with --mqtt-port)")


def _log(level: str, who: str = "") -> None:
    for talkative in ("uvicorn", "alembic", "barograph.transport.mqtt.websocket"):
        logging.getLogger(talkative).setLevel("WARNING")
    logging.basicConfig(level=level.upper(), handlers=[_log_handler(who)], force=True)


def _log_handler(who: str) -> logging.Handler:
    """For people where there is a terminal, else one line of text an event."""
    if sys.stderr.isatty():
        from rich.console import Console  # noqa: PLC0415  # megabytes, only for a terminal
        from rich.logging import RichHandler  # noqa: PLC0415  # as above

        return RichHandler(console=Console(stderr=True), show_path=False)
    plain = logging.StreamHandler()
    plain.setFormatter(logging.Formatter(f"%(asctime)s{who} %(levelname)s %(name)s: %(message)s"))
    return plain
