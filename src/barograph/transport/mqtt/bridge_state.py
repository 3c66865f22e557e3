"""What the bridge must remember over a restart: its name at the broker, and what it asked for there.

A broker keeps messages for a client identifier. With another one after a restart, what the broker
holds for the former would be lost.
"""

import json
import os
import secrets
from collections.abc import Collection
from pathlib import Path


class BridgeState:
    """A small file, replaced as a whole."""

    def __init__(self, path: Path, client_id: str = "") -> None:
        """`client_id` is used instead of the one that is remembered, or made."""
        self.path = path
        self.client_id = client_id
        """This Barograph's at the broker."""
        self.filters: frozenset[str] = frozenset()
        """The topic filters that were asked for when this was last saved."""
        try:
            stored = json.loads(path.read_bytes())
            self.client_id = client_id or str(stored["client_id"])
            self.filters = frozenset(map(str, stored["filters"]))
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{path} cannot be read: restore it, or remove it and with it what the broker "
                "keeps for this Barograph"
            ) from None
        if not self.client_id:
            self.client_id = f"barograph-{secrets.token_hex(8)}"
        self._save()

    def asked_for(self, filters: Collection[str]) -> None:
        """Remember the topic filters; stored when this returns."""
        if self.filters != frozenset(filters):
            self.filters = frozenset(filters)
            self._save()

    def _save(self) -> None:
        content = json.dumps({"client_id": self.client_id, "filters": sorted(self.filters)})
        new = self.path.with_suffix(".new")
        with new.open("w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)
