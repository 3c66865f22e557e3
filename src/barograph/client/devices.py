"""Calls about devices and the assets that they are fitted to."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from barograph.client.call import Call, get, json_of, nothing, send
from barograph.client.models import (
    Asset,
    Command,
    Device,
    DeviceToken,
    Page,
    RegisteredDevice,
)

_UNSET: Any = msgspec.UNSET
"""Stands for: leave it as it is. None has a meaning of its own."""


def device_path(device: int | str) -> str:
    """The path of a device, named by id or key."""
    return f"/api/devices/{quote(str(device), safe='')}"


def create_device(
    name: str,
    *,
    key: str | None = None,
    user_id: int | None = None,
    asset_id: int | None = None,
    attributes: Mapping[str, Any] | None = None,
    round_time: float | None = None,
) -> Call[RegisteredDevice]:
    """Register a device. `round_time` is in seconds."""
    given = {
        "key": key,
        "user_id": user_id,
        "asset_id": asset_id,
        "attributes": attributes,
        "round_time": round_time,
    }
    body = {"name": name, **{k: value for k, value in given.items() if value is not None}}
    return send("POST", "/api/devices", json_of(RegisteredDevice), body)


def list_devices(
    search: str = "",
    *,
    user_id: int | None = None,
    asset_id: int | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Call[Page[Device]]:
    """Some of one's own devices, in order of id; an administrator sees all."""
    return get(
        "/api/devices",
        msgspec.json.Decoder(Page[Device]).decode,
        search=search,
        user_id=user_id,
        asset_id=asset_id,
        limit=limit,
        offset=offset,
    )


def get_device(device: int | str) -> Call[Device]:
    """One device."""
    return get(device_path(device), json_of(Device))


def change_device(
    device: int | str,
    *,
    name: str = _UNSET,
    key: str = _UNSET,
    user_id: int | None = _UNSET,
    asset_id: int | None = _UNSET,
    attributes: Mapping[str, Any] = _UNSET,
    round_time: float | None = _UNSET,
) -> Call[Device]:
    """Change what is given."""
    given = {
        "name": name,
        "key": key,
        "user_id": user_id,
        "asset_id": asset_id,
        "attributes": attributes,
        "round_time": round_time,
    }
    body = {field: value for field, value in given.items() if value is not _UNSET}
    # Sent again under the old key, the device would not be found.
    again = key is _UNSET
    return send("PATCH", device_path(device), json_of(Device), body, idempotent=again)


def delete_device(device: int | str) -> Call[None]:
    """Remove a device with its readings."""
    return Call("DELETE", device_path(device), nothing)


def rotate_device_token(device: int | str) -> Call[str]:
    """A new token for the device; the old one stops working at once."""

    def read(body: bytes) -> str:
        return msgspec.json.decode(body, type=DeviceToken).token

    return Call("POST", f"{device_path(device)}/token", read, idempotent=False)


def send_command(
    device: int | str, command: Any, *, expires_in: int | None = None
) -> Call[Command]:
    """Tell the device something: any JSON value. It waits for the device `expires_in` seconds."""
    body = {"command": command}
    if expires_in is not None:
        body["expires_in"] = expires_in
    return send("POST", f"{device_path(device)}/commands", json_of(Command), body)


def get_command(device: int | str, command_id: int) -> Call[Command]:
    """A command and what became of it."""
    return get(f"{device_path(device)}/commands/{command_id}", json_of(Command))


def list_commands(device: int | str, *, limit: int = 100, offset: int = 0) -> Call[Page[Command]]:
    """Some of the device's commands, the newest first."""
    read = msgspec.json.Decoder(Page[Command]).decode
    return get(f"{device_path(device)}/commands", read, limit=limit, offset=offset)


def cancel_command(device: int | str, command_id: int) -> Call[Command]:
    """Call a command off; one that the device has already, or that expired, stays as it is."""
    return Call("DELETE", f"{device_path(device)}/commands/{command_id}", json_of(Command))


def create_asset(kind: str, name: str, attributes: Mapping[str, Any] | None = None) -> Call[Asset]:
    """Take something into the inventory; `name` is unique per `kind`."""
    body = {"kind": kind, "name": name, "attributes": attributes or {}}
    return send("POST", "/api/assets", json_of(Asset), body)


def list_assets(
    search: str = "", *, kind: str | None = None, limit: int = 100, offset: int = 0
) -> Call[Page[Asset]]:
    """Some of the inventory, in order of id."""
    read = msgspec.json.Decoder(Page[Asset]).decode
    return get("/api/assets", read, search=search, kind=kind, limit=limit, offset=offset)


def get_asset(asset_id: int) -> Call[Asset]:
    """One asset, with the devices fitted to it."""
    return get(f"/api/assets/{asset_id}", json_of(Asset))


def change_asset(
    asset_id: int,
    *,
    kind: str = _UNSET,
    name: str = _UNSET,
    attributes: Mapping[str, Any] = _UNSET,
) -> Call[Asset]:
    """Change what is given."""
    given = {"kind": kind, "name": name, "attributes": attributes}
    body = {field: value for field, value in given.items() if value is not _UNSET}
    return send("PATCH", f"/api/assets/{asset_id}", json_of(Asset), body, idempotent=True)


def delete_asset(asset_id: int) -> Call[None]:
    """Remove an asset; its devices stay, fitted to nothing."""
    return Call("DELETE", f"/api/assets/{asset_id}", nothing)
