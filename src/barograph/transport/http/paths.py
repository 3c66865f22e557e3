"""Slashes in a device's key or a car's mark, which a client sends in a path as `%2F`.

A server decodes a path before it is matched with the routes, and then such a slash looks like any
other. So where a path names one of these, encoded slashes stay as they are until the route has been
found; the parameter's type (`schemas.DeviceRef`) decodes them.
"""

import re
from urllib.parse import unquote

from starlette.types import Scope

_NAMING_A_DEVICE = ("/api/devices/", "/api/analytics/devices/", "/stats/", "/users/")
_NAMING_A_CAR = "/auto/"
_SLASH = re.compile(rb"%2[Ff]")


def keep_slashes(scope: Scope) -> None:
    """Put the path of a request back to how it was sent, as far as slashes are concerned."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2" in raw and scope["path"].startswith((*_NAMING_A_DEVICE, _NAMING_A_CAR)):
        parts = [unquote(part.decode("latin-1")) for part in _SLASH.split(raw)]
        scope["path"] = "%2F".join(parts).removesuffix("/")


def with_slashes(ref: str) -> str:
    """What a path calls a device, slashes decoded; a key has no `%` of its own."""
    return ref.replace("%2F", "/")
