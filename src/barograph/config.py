"""Every setting once: name, default, unit, help.

The command line, the environment, the file and the documentation follow from here. A setting is looked
up in this order, the later wins: its default, the TOML file, the environment (`BAROGRAPH_DATA_DIR`; nested
ones with two underscores, `BAROGRAPH_LIMITS__BODY_BYTES_MAX`), the command line.
"""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from barograph.domain.errors import ConfigurationError
from barograph.domain.length import parse_length
from barograph.domain.limits import Limits
from barograph.domain.time import DAY, parse_zone
from barograph.transport.mqtt.broker_address import BrokerAddress
from barograph.transport.mqtt.topics import Template

ENVIRONMENT_PREFIX = "BAROGRAPH_"

_NO_SETTINGS = frozenset({"BAROGRAPH_URL", "BAROGRAPH_TOKEN", "BAROGRAPH_LIMITS"})
"""Variables of the commands, and the limits in one, which are not among `entries`."""
_NO_SETTINGS_PREFIX = "BAROGRAPH_TEST_"
_NEAR = 0.8
"""How alike a mistyped name and the one that is meant are, of 1."""

System = Literal["temperature", "statistics", "dealer", "monitoring", "parameters"]
SYSTEMS: tuple[System, ...] = (
    "temperature",
    "statistics",
    "dealer",
    "monitoring",
    "parameters",
)


def _length(value: object) -> object:
    """A length of time as microseconds: `5m`, `1h`, `30d`; 0 or empty for none."""
    return parse_length(value) if isinstance(value, str) else value


def _zone(value: object) -> object:
    if isinstance(value, str):
        parse_zone(value)
    return value


def _template(value: str) -> str:
    Template.parse(value)
    return value


def _broker(value: str) -> str:
    if value:
        BrokerAddress.parse(value)
    return value


def _group(value: str) -> str:
    if set(value) & set("/+#"):
        raise ValueError("a group's name has no / + #")
    return value


Length = Annotated[int, BeforeValidator(_length), Field(ge=0)]
"""Microseconds, written as a length such as `5m`."""


def _limit_fields() -> dict[str, Any]:
    hints = get_type_hints(Limits)
    return {
        field.name: (hints[field.name], Field(default=field.default, gt=0))
        for field in dataclasses.fields(Limits)
    }


LimitSettings: type[BaseModel] = create_model("LimitSettings", **_limit_fields())


class Settings(BaseSettings):
    """The settings of one Barograph."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid"
    )

    data_dir: Path = Field(
        default=Path("data"), description="Where everything is kept: catalog, readings, journal."
    )
    database_url: str = Field(
        default="",
        description="Where users, devices and the inventory are kept: postgresql://… or mysql://… "
        "(needs the extra postgres or mysql). Empty: SQLite in data_dir.",
    )
    readings_url: str = Field(
        default="",
        description="Where readings are kept: postgresql://…, mysql://… or sqlite:////path/to/file "
        "(see docs/databases.md). Empty: DuckDB in data_dir, which one process only can use.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. 0.0.0.0 or :: lets other machines in; then every "
        "request needs a credential.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="HTTP port; 0 takes a free one.")
    mqtt: bool = Field(default=True, description="Whether MQTT is served, on the same address.")
    mqtt_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="MQTT port; 0 takes a free one. Unless it is set: 1883, or the next free one.",
    )
    mqtt_plain: bool = Field(
        default=True, description="Whether MQTT is served without TLS, on mqtt_port."
    )
    mqtt_tls_certificate: Path | None = Field(
        default=None,
        description="Certificate chain (PEM) for MQTT over TLS, with mqtt_tls_key; SIGHUP reads "
        "both again. Unset: no TLS.",
    )
    mqtt_tls_key: Path | None = Field(
        default=None, description="Private key (PEM, not encrypted) of mqtt_tls_certificate."
    )
    mqtt_tls_port: int = Field(
        default=8883, ge=0, le=65535, description="Port of MQTT over TLS; 0 takes a free one."
    )
    mqtt_websocket: bool = Field(
        default=True,
        description="Whether MQTT over WebSocket is served, on the HTTP port at /mqtt.",
    )
    mqtt_topics: tuple[Annotated[str, AfterValidator(_template)], ...] = Field(
        default=(),
        description="Topics with readings besides devices/<device>/<metric>, as templates such as "
        "home/{device}/sensor/{metric}; without {metric} the payload is a JSON object.",
    )
    mqtt_bridge: Annotated[str, AfterValidator(_broker)] = Field(
        default="",
        description="An external MQTT broker to take readings from instead of serving MQTT: "
        "mqtt://user:password@host:1883, or mqtts:// for TLS.",
    )
    mqtt_bridge_user: str = Field(
        default="",
        description="User whose the messages of mqtt_bridge are: they go to this user's devices "
        "(an administrator's: to all), and unknown devices are made for the user. Empty: to all "
        "devices, and none is made.",
    )
    mqtt_bridge_group: Annotated[str, AfterValidator(_group)] = Field(
        default="",
        description="Name of the shared subscription by which several workers share the messages "
        "of mqtt_bridge. Empty: one for all that use the same catalog, where MQTT 5.0 says that "
        "the broker can share.",
    )
    mqtt_bridge_client_id: str = Field(
        default="",
        max_length=256,
        description="Client identifier at mqtt_bridge; each worker needs its own. Empty: one is "
        "made and kept in data_dir.",
    )
    mqtt_bridge_session: Length = Field(
        default=7 * DAY,
        description="How long mqtt_bridge is asked to keep messages while Barograph is away (5.0).",
    )
    mqtt_bridge_ca: Path | None = Field(
        default=None,
        description="Certificate authority (PEM) of an mqtts:// bridge; unset: the system's.",
    )
    auto_create_devices: bool = Field(
        default=True,
        description="Whether an MQTT message to an unknown device makes it, for the user who sent "
        "it.",
    )
    auth: Literal["auto", "required", "open"] = Field(
        default="auto",
        description="Who needs a credential. auto: everybody but this machine's user while "
        "listening on loopback only; required: everybody; open: nobody (isolated networks only).",
    )
    registration: Literal["open", "closed"] = Field(
        default="open", description="Whether strangers may register themselves, as members."
    )
    timezone: Annotated[str, BeforeValidator(_zone)] = Field(
        default="UTC",
        description="IANA zone of calendar buckets, and of times that are given without an offset.",
    )
    round_time: Length = Field(
        default=0,
        description="Round the times of readings down to a multiple of this, such as 5m; 0 does "
        "not. A device can have its own.",
    )
    retention: Length = Field(
        default=0,
        description="Remove readings older than this, such as 365d; 0 keeps all. What an "
        "administrator sets on the page System holds instead.",
    )
    audit_retention: Length = Field(
        default="365d",
        validate_default=True,
        description="Remove entries of the audit log older than this; 0 keeps all.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*)?)?$",
        description="How people reach this server, such as https://barograph.example.org; e-mails "
        "link to it.",
    )
    report_retention: Length = Field(
        default="365d",
        validate_default=True,
        description="Remove reports made longer ago than this; 0 keeps all.",
    )
    smtp_url: str = Field(
        default="",
        description="The server that sends reports by e-mail: smtp://user:password@host:587 (TLS "
        "from STARTTLS on, which a password needs) or smtps://user:password@host:465. Empty: none.",
    )
    mail_from: str = Field(
        default="", description="The address that e-mails come from; needed with smtp_url."
    )
    webhooks: dict[str, str] = Field(
        default_factory=dict,
        description="Addresses that reports may be announced to, by name: "
        '{"office": "https://example.org/hook"}.',
    )
    webhook_secret: str = Field(
        default="",
        description="Signs what webhooks are told (HMAC-SHA256); needed with webhooks, 16 "
        "characters at least.",
    )
    apis: frozenset[System] = Field(
        default=frozenset(SYSTEMS),
        description="Which of the older systems' APIs are served besides our own.",
    )
    parameters_n: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Readings in a list of the parameters system's API that names no n.",
    )
    memory_limit_mb: int = Field(
        default=512, ge=64, description="Memory (MiB) that the embedded reading store may use."
    )
    store_threads: int = Field(
        default=0, ge=0, description="Threads of the embedded reading store; 0: one per core."
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve HTTP on one port. More than one need the catalog and the "
        "readings on a database server (see docs/scaling.md).",
    )
    redis_url: str = Field(
        default="",
        description="Redis by which processes tell each other live readings and rate limits: "
        "redis://host:6379/0 (needs the extra redis). Empty: the database does. Set it also where "
        "several machines serve one database.",
    )
    celery_broker: str = Field(
        default="",
        description="Where jobs are announced to `barograph worker`: redis://host:6379/0 or "
        "amqp://user:password@host/ (needs the extra celery, and redis). Empty: jobs run in the "
        "server.",
    )
    job_workers: int = Field(
        default=1, ge=1, le=64, description="Background jobs that run at a time in one process."
    )
    jobs_kept: Length = Field(
        default=7 * DAY,
        description="How long jobs that have ended are kept with their results; 0: for ever.",
    )
    access_token_minutes: int = Field(
        default=15, ge=1, le=1440, description="How long an access token (JWT) is valid."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged, on standard error."
    )
    limits: LimitSettings = Field(
        default_factory=LimitSettings, description="Bounds; see the list in the documentation."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before environment before file."""
        del dotenv_settings, file_secret_settings
        file = settings_cls.model_config.get("toml_file")
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls)) if file else sources

    def bounds(self) -> Limits:
        """The limits in force; raises `ConfigurationError` where they contradict each other."""
        try:
            return Limits(**self.limits.model_dump())
        except ValueError as error:
            raise ConfigurationError(f"limits: {error}") from None


def load(config: Path | None = None, **flags: Any) -> Settings:
    """The settings from `config` (a TOML file), the environment and `flags` that are not None.

    Raises `ConfigurationError` naming each setting that is wrong.
    """
    if config is not None and not config.is_file():
        raise ConfigurationError(f"--config {config}: there is no such file")
    given = {name: value for name, value in flags.items() if value is not None}

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise ConfigurationError(f"settings: {wrong}") from None
    except (OSError, ValueError) as error:  # the file cannot be read, or is not TOML
        raise ConfigurationError(f"--config {config}: {error}") from None


@dataclass(frozen=True, slots=True)
class Entry:
    """A setting as the documentation and `barograph config` show it."""

    name: str
    environment: str
    default: Any
    help: str
    is_length: bool = False
    """Whether the value is a `Length`."""


def entries() -> Iterator[Entry]:
    """Every setting, the limits included."""
    for name, field in Settings.model_fields.items():
        if name == "limits":
            continue
        default = field.get_default(call_default_factory=True)
        environment = f"{ENVIRONMENT_PREFIX}{name.upper()}"
        is_length = any(getattr(one, "func", None) is _length for one in field.metadata)
        if is_length:
            default = _length(default)
        yield Entry(name, environment, default, field.description or "", is_length)
    for limit in dataclasses.fields(Limits):
        yield Entry(
            f"limits.{limit.name}",
            f"{ENVIRONMENT_PREFIX}LIMITS__{limit.name.upper()}",
            limit.default,
            limit.metadata["help"],
        )


def misnamed(environment: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that looks like a setting and is none."""
    known = {entry.environment for entry in entries()} | _NO_SETTINGS
    limits = {name.rpartition("__")[2]: name for name in known if "__" in name}
    for given in sorted(environment):
        name = given.upper()
        if not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(_NO_SETTINGS_PREFIX):
            continue
        if name not in known:
            proper = name.removeprefix(ENVIRONMENT_PREFIX)
            found = limits.get(proper.removeprefix("LIMITS_"))
            names = [one.removeprefix(ENVIRONMENT_PREFIX) for one in known]
            for near in difflib.get_close_matches(proper, names, 1, _NEAR) if not found else ():
                found = ENVIRONMENT_PREFIX + near
            meant = f": is {found} meant?" if found else ""
            yield f"{given} in the environment is no setting and changes nothing{meant}"
