"""Where an external MQTT broker is, as the setting `mqtt_bridge` writes it."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_RIGHT = "use mqtt://user:password@host:1883, or mqtts:// for TLS"


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """A broker and our credentials there. Its text has no credentials in it."""

    host: str
    port: int
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> "BrokerAddress":
        """The address that `text` writes down.

        Raises `ValueError`, which says what is right and does not repeat the password.
        """
        try:
            url = urlsplit(text)
            host, port = url.hostname, url.port
        except ValueError:
            raise ValueError(
                f"the port or the host cannot be read: {_RIGHT}; in user and password write "
                "@ : / ? # % as %40 %3A %2F %3F %23 %25"
            ) from None
        if url.scheme not in _PORTS:
            raise ValueError(_RIGHT)
        if not host or port == 0:
            raise ValueError(f"there is no host or no port: {_RIGHT}")
        if url.path not in {"", "/"} or url.query or url.fragment:
            raise ValueError(f"nothing follows the port: {_RIGHT}; topics are set by mqtt_topics")
        username = None if url.username is None else unquote(url.username)
        password = None if url.password is None else unquote(url.password)
        if password is not None and not username:
            raise ValueError(f"there is a password but no user: {_RIGHT}")
        return cls(host, port or _PORTS[url.scheme], url.scheme == "mqtts", username, password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"
