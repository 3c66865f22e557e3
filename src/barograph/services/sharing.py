"""Letting other users see one's devices."""

from collections.abc import Sequence

from barograph.domain.device import Device
from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.sharing import Share
from barograph.domain.user import Principal, User, require_owner
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.audit import Audit
from barograph.services.registry import Registry

SHARES_MAX = 100
"""Users with whom one thing is shared."""


class DeviceSharing:
    """Shares devices, and ends that; each call checks the right to do so."""

    def __init__(self, catalog: Catalog, registry: Registry, clock: Clock) -> None:
        self._catalog = catalog
        self._registry = registry
        self._clock = clock
        self._audit = Audit(catalog, registry, clock)

    def list(self, principal: Principal, device: Device) -> Sequence[Share]:
        """With whom the device is shared; raises `Forbidden` for who does not own it."""
        require_owner(principal, device)
        return self._catalog.device_shares.of_subject(device.id)

    def share(self, principal: Principal, device: Device, user: str, *, writes: bool) -> Share:
        """Let the user of this name or e-mail address read the device, or also write to it.

        Raises `NotFound` for an unknown user, `InvalidInput` for the owner, `Conflict` beyond
        `SHARES_MAX` users, and what `require_owner` raises.
        """
        require_owner(principal, device)
        found = find_user(self._catalog, user)
        if found.id == device.user_id:
            raise InvalidInput.of("user", f"this device belongs to {found.username} already")
        share = Share(device.id, found.id, writes, self._clock())
        detail = {"user": found.username, "access": "write" if writes else "read"}
        with self._registry.alone("devices"):
            with self._audit.along(principal, "device.share", device.name, device.id, detail):
                self._catalog.device_shares.put(share, SHARES_MAX)
            self._registry.put_share(share)
        return share

    def end(self, principal: Principal, device: Device, user_id: int) -> None:
        """Stop sharing; the user may ask for it, too. Raises `NotFound` where it is not shared."""
        if principal.user_id != user_id or principal.token_reads_only:
            require_owner(principal, device)
        user = self._registry.user(user_id)
        detail = {"user": user.username if user else user_id}
        with self._registry.alone("devices"):
            with self._audit.along(principal, "device.unshare", device.name, device.id, detail):
                self._catalog.device_shares.remove(device.id, user_id)
            self._registry.drop_share(device.id, user_id)


def find_user(catalog: Catalog, name: str) -> User:
    """The user of this name or e-mail address; raises `NotFound`."""
    found = catalog.users.find(name.strip())
    if found is None:
        raise NotFound(f"there is no user {name.strip()[:64]!r}")
    return found
