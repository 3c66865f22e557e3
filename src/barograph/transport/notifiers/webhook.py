"""Notices by HTTP POST, signed, to addresses that the settings name and no others.

The body is JSON. `X-Barograph-Signature: t=<seconds>,v1=<hex>` holds the HMAC-SHA256 of
`<seconds>.<body>` under the secret; who receives it recomputes that, compares in constant time,
and refuses times long past. `X-Barograph-Id` is the same whenever a notice is sent again.
"""

import hmac
import json
import time
from collections.abc import Callable, Mapping
from hashlib import sha256
from urllib.parse import urlsplit

from barograph import __version__
from barograph.domain.errors import ConfigurationError, InvalidInput, Unavailable
from barograph.domain.user import Principal
from barograph.ports.notifier import Notice

TIMEOUT_SECONDS = 10.0
_SECRET_CHARS_MIN = 16
_LATER = frozenset({408, 425, 429})


class WebhookNotifier:
    """Posts notices to webhooks."""

    def __init__(
        self,
        addresses: Mapping[str, str],
        secret: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`addresses` by name and `secret` from the settings; raises `ConfigurationError`."""
        for name, address in addresses.items():
            if not _is_address(address):
                raise ConfigurationError(
                    f"webhooks.{name}: use an address such as https://example.org/hook"
                )
        if len(secret) < _SECRET_CHARS_MIN:
            raise ConfigurationError(
                f"webhook_secret: webhooks need one of {_SECRET_CHARS_MIN} characters at least, "
                "which only you and who receives the notices know"
            )
        self._addresses = dict(addresses)
        self._secret = secret.encode()
        self._now = now

    def check(self, principal: Principal, own: str | None, target: str) -> None:
        """Anybody may use the webhooks that the settings name."""
        del principal, own
        if target not in self._addresses:
            raise InvalidInput.of("webhook", "there is no webhook of this name in the settings")

    def send(self, target: str, notice: Notice) -> None:
        """Post it; 2xx means that it arrived."""
        import httpx  # noqa: PLC0415  # 0.1 s and 10 MB, which who has no webhooks does not pay

        address = self._addresses.get(target)
        if address is None:
            raise InvalidInput.of("webhook", "there is no webhook of this name any more")
        body = json.dumps(dict(notice.facts), allow_nan=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Barograph/{__version__}",
            "X-Barograph-Id": notice.id,
            "X-Barograph-Signature": self._signature(body),
        }
        try:
            # A redirect would lead to an address that nobody allowed, and so would a proxy of the
            # environment; of the answer only the status matters.
            with (
                httpx.Client(
                    timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False
                ) as client,
                client.stream("POST", address, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            raise Unavailable(f"the webhook {target!r} did not answer: {error}") from error
        if 200 <= status < 300:
            return
        message = f"the webhook {target!r} answered {status}"
        if status >= 500 or status in _LATER:
            raise Unavailable(message)
        raise InvalidInput.of("webhook", message)

    def _signature(self, body: bytes) -> str:
        stamp = int(self._now())
        signed = hmac.new(self._secret, b"%d." % stamp + body, sha256).hexdigest()
        return f"t={stamp},v1={signed}"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    named = parts.scheme in {"http", "https"} and bool(parts.hostname)
    return named and port != 0 and not parts.fragment
