"""MQTT as the settings have it: our own endpoint, or a client of another broker."""

import asyncio
import os
import shutil
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from barograph.config import Settings
from barograph.domain.errors import ConfigurationError
from barograph.domain.time import SECOND
from barograph.services.core import Core
from barograph.transport.http.access import Access
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.arrivals import Arrivals
from barograph.transport.mqtt.asyncapi import describe, servers_at
from barograph.transport.mqtt.bridge import MqttBridge
from barograph.transport.mqtt.bridge_options import BridgeOptions
from barograph.transport.mqtt.bridge_state import BridgeState
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.broker_check import check_broker
from barograph.transport.mqtt.listener import MqttListener
from barograph.transport.mqtt.storage import MqttStorage
from barograph.transport.mqtt.storage import copy as copy_sessions
from barograph.transport.mqtt.tls import TlsCertificate
from barograph.transport.mqtt.topics import Template, Topics, filters_of
from barograph.transport.web.snippets import MqttAddress
from barograph.wiring.processes import Place
from barograph.wiring.stores import MQTT_FILE

BRIDGE_FILE = "mqtt-bridge.json"


def make_listener(
    core: Core, access: Access, settings: Settings, opened: ExitStack
) -> MqttListener:
    """Our own endpoint; `opened` is to close what it keeps. Raises `ConfigurationError`."""
    certificate = certificate_of(settings)
    storage = MqttStorage(settings.data_dir / MQTT_FILE)
    opened.callback(storage.close)
    try:
        return MqttListener(
            core,
            _access(core, access, settings),
            _topics(core, settings),
            storage,
            auto_create=settings.auto_create_devices,
            certificate=certificate,
        )
    except ValueError as error:
        raise ConfigurationError(f"limits of MQTT: {error}") from None


def make_bridge(core: Core, access: Access, settings: Settings, place: Place | None) -> MqttBridge:
    """A client of the broker that the settings name; raises `ConfigurationError`."""
    for name in ("mqtt_port", "mqtt_tls_certificate", "mqtt_tls_key"):
        if getattr(settings, name) is not None:
            raise ConfigurationError(
                f"{name}: with mqtt_bridge Barograph is a client of that broker and serves no MQTT "
                "itself; set one of the two"
            )
    group = core.catalog.secrets.get_or_create(
        "mqtt_bridge_group", b"barograph-" + os.urandom(8).hex().encode()
    )
    broker = BrokerAddress.parse(settings.mqtt_bridge)
    options = BridgeOptions(
        broker,
        _trust(settings.mqtt_bridge_ca) if broker.tls else None,
        user=settings.mqtt_bridge_user,
        group=settings.mqtt_bridge_group,
        default_group=group.decode(),
        first=place is None or place.number == 0,
        session_seconds=settings.mqtt_bridge_session // SECOND,
    )
    try:
        state = _bridge_state(settings, place)
        return MqttBridge(
            core,
            _access(core, access, settings),
            _topics(core, settings),
            state,
            Arrivals(state.path.with_suffix(".arrivals")),
            options,
            auto_create=settings.auto_create_devices,
        )
    except ValueError as error:
        raise ConfigurationError(f"mqtt_bridge: {error}") from None


def description(settings: Settings, address: MqttAddress | None) -> Callable[[str], dict[str, Any]]:
    """Describes what devices may publish where, for who reaches this server at an address."""
    templates = [Template.parse(one) for one in settings.mqtt_topics]
    limits = settings.bounds()

    def at(base_url: str) -> dict[str, Any]:
        servers = (
            {}
            if address is None
            else servers_at(base_url, address.port, tls=address.tls, host=address.host)
        )
        if not settings.mqtt_websocket:
            servers.pop("websocket", None)
        return describe(templates, limits, servers)

    return at


def certificate_of(settings: Settings) -> TlsCertificate | None:
    """The certificate of MQTT over TLS; raises `ConfigurationError`."""
    certificate, key = settings.mqtt_tls_certificate, settings.mqtt_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        missing = "mqtt_tls_key" if key is None else "mqtt_tls_certificate"
        raise ConfigurationError(f"{missing} is not set: TLS needs a certificate and its key")
    return TlsCertificate(certificate, key)


def _access(core: Core, access: Access, settings: Settings) -> MqttAccess:
    return MqttAccess(core.registry, core.accounts, access, open=settings.auth == "open")


def _topics(core: Core, settings: Settings) -> Topics:
    return Topics(core.registry, map(Template.parse, settings.mqtt_topics))


def check_bridge(settings: Settings) -> str:
    """Sign in at the broker that `mqtt_bridge` names; the version of MQTT that it speaks with us.

    Raises `ConfigurationError`, and what `check_broker` does.
    """
    broker = BrokerAddress.parse(settings.mqtt_bridge)
    trusted = _trust(settings.mqtt_bridge_ca) if broker.tls else None
    filters = filters_of([Template.parse(one) for one in settings.mqtt_topics])
    return asyncio.run(check_broker(broker, trusted, filters))


def _trust(authority: Path | None) -> ssl.SSLContext:
    """Whose certificates are believed; raises `ConfigurationError`."""
    try:
        return ssl.create_default_context(cafile=authority)
    except OSError as error:
        unread = "no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(f"mqtt_bridge_ca {authority}: {unread}") from None


def _bridge_state(settings: Settings, place: Place | None) -> BridgeState:
    """Each process is a client of its own; the broker shares the messages out among them."""
    client_id = settings.mqtt_bridge_client_id
    if place is None or place.number == 0:
        return BridgeState(settings.data_dir / BRIDGE_FILE, client_id)
    path = (settings.data_dir / BRIDGE_FILE).with_stem(f"mqtt-bridge-{place.number}")
    return BridgeState(path, client_id and f"{client_id}-{place.number}")


def move_mqtt(source: Path, target: Path) -> None:
    """Copy what MQTT keeps in one data directory to another, in place of what is there."""
    file = target / MQTT_FILE
    for end in ("", "-wal", "-shm"):
        Path(f"{file}{end}").unlink(missing_ok=True)
    copy_sessions(source / MQTT_FILE, file)
    if file.exists():
        file.chmod(0o600)
    for one in source.glob(f"{Path(BRIDGE_FILE).stem}*"):
        shutil.copy2(one, target / one.name)
