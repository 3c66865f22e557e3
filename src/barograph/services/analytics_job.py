"""The kind of job that answers a question for summaries."""

from collections.abc import Mapping
from typing import Any

from barograph.domain.errors import InvalidInput, NotFound
from barograph.domain.user import Principal
from barograph.services.analytics import Analytics
from barograph.services.parameters import Parameters
from barograph.services.questions import PARAMETERS
from barograph.services.slices import Report

_KNOWN = PARAMETERS | {"device", "devices", "user"}
_DEVICES_MAX = 1_000


class AnalyticsJob:
    """`device`, `devices` or `user`, and the parameters of a question; the answer is that of `Analytics`."""

    def __init__(self, analytics: Analytics) -> None:
        self._analytics = analytics

    def check(self, principal: Principal, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The question with ids and absolute times."""
        parameters = Parameters(given)
        parameters.refuse_unknown(_KNOWN)
        parameters.check()
        device, user = given.get("device"), given.get("user")
        devices = given.get("devices")
        if sum(one is not None for one in (device, devices, user)) != 1:
            raise InvalidInput.of("device", "give either a device, a list of devices or a user")
        question = self._analytics.question(given).to_json()
        if device is not None:
            if isinstance(device, bool) or not isinstance(device, int | str):
                raise InvalidInput.of("device", "a device is an id or a key")
            return {"device": self._analytics.require_device(principal, device).id, **question}
        if devices is not None:
            return {"devices": self._devices(principal, devices), **question}
        user_id = _user_id(user)
        self._analytics.require_user(principal, user_id)
        return {"user": user_id, **question}

    def _devices(self, principal: Principal, devices: object) -> list[int]:
        if not isinstance(devices, list) or not 1 <= len(devices) <= _DEVICES_MAX:
            raise InvalidInput.of("devices", f"use a list of 1 to {_DEVICES_MAX} devices")
        found: dict[int, None] = {}
        for one in devices:
            if isinstance(one, bool) or not isinstance(one, int | str):
                raise InvalidInput.of("devices", "a device is an id or a key")
            found[self._analytics.require_device(principal, one).id] = None
        return list(found)

    def run(self, principal: Principal, question: Mapping[str, Any], report: Report) -> Any:
        """The answer, worked out in pieces."""
        asked = self._analytics.question(question)
        if "device" in question:
            return self._analytics.device(principal, question["device"], asked, report)
        if "devices" in question:
            return self._analytics.devices(principal, question["devices"], asked, report)
        return self._analytics.user(principal, question["user"], asked, report)


def _user_id(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 19:
        return int(value)
    if isinstance(value, str):
        raise NotFound("there is no such user")
    raise InvalidInput.of("user", "a user is an id")
