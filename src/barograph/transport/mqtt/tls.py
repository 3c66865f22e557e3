"""The certificate of MQTT over TLS: read at the start, and again when it was renewed."""

import ssl
from pathlib import Path

from barograph.domain.errors import ConfigurationError

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"


class TlsCertificate:
    """A certificate chain and its key, in PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises `ConfigurationError` where the files are not what they should be."""
        self._certificate = certificate
        self._key = key
        self.context = self._read(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        """For listening sockets."""

    def reload(self) -> None:
        """Use what the files hold now for connections from now on.

        Raises `ConfigurationError`, after which everything is as before.
        """
        self._read(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._read(self.context)

    def _read(self, context: ssl.SSLContext) -> ssl.SSLContext:
        _require("mqtt_tls_certificate", self._certificate, _CERTIFICATE, "a certificate")
        _require("mqtt_tls_key", self._key, _KEY, "a private key")
        try:
            context.load_cert_chain(self._certificate, self._key, _no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise ConfigurationError(
                    f"mqtt_tls_key {self._key}: this is not the key of {self._certificate}"
                ) from None
            raise ConfigurationError(
                f"mqtt_tls_certificate {self._certificate}, mqtt_tls_key {self._key}: they cannot "
                f"be read ({error.reason or error})"
            ) from None
        return context


def _no_password() -> str:
    raise ConfigurationError(
        "mqtt_tls_key: the key is encrypted, and nobody is there to type its password; take one "
        "without (openssl pkey -in key.pem -out plain.pem) that only this user can read"
    )


def _require(setting: str, path: Path, mark: bytes, what: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting} {path}: {error.strerror}") from None
    if mark not in content:
        raise ConfigurationError(f"{setting} {path}: there is not {what} in PEM in it")
