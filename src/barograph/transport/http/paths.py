"""Slashes in a device's key or a car's mark, which a client sends in a path as `%2F`.

A server decodes a path before it is matched with the routes, and then such a slash looks like any
other. So where a path names one of these, encoded slashes stay as they are until the route has been
found; the parameter's type (`schemas.DeviceRef`) decodes them.

A device's key is understood with plain slashes, too: what stands between the path's beginning and
its known end is the key. Only a key that itself ends like a path (`a/data`) needs `%2F`.
"""

import re
from urllib.parse import unquote

from starlette.types import Scope

_NAMING_A_DEVICE = ("/api/devices/", "/api/analytics/devices/", "/stats/", "/users/")
_NAMING_A_CAR = "/auto/"
_DEVICES = "/api/devices/"
_ANALYTICS = "/api/analytics/devices/"
_BELOW_A_DEVICE = re.compile(
    r"/(?:data|latest|token|metrics|shares|refused|commands(?:/[0-9]+)?)\Z"
)
_SLASH = re.compile(rb"%2[Ff]")


def keep_slashes(scope: Scope) -> None:
    """Put the path of a request back to how it was sent, as far as slashes are concerned."""
    raw: bytes = scope.get("raw_path") or b""
    if b"%2" in raw and scope["path"].startswith((*_NAMING_A_DEVICE, _NAMING_A_CAR)):
        parts = [unquote(part.decode("latin-1")) for part in _SLASH.split(raw)]
        scope["path"] = "%2F".join(parts).removesuffix("/")


def encode_slashes(path: str) -> str:
    """The `path`, without a slash at its end, with the slashes of a device's key as `%2F`."""
    beginning = _DEVICES if path.startswith(_DEVICES) else _ANALYTICS
    if not path.startswith(beginning):
        return path
    ref, end = path[len(beginning) :], ""
    known = _BELOW_A_DEVICE.search(ref) if beginning == _DEVICES else None
    if known is not None:
        ref, end = ref[: known.start()], known[0]
    return beginning + ref.replace("/", "%2F") + end


def with_slashes(ref: str) -> str:
    """What a path calls a device, slashes decoded; a key has no `%` of its own."""
    return ref.replace("%2F", "/")
