"""Who may what, as the host answers it."""

from typing import Protocol


class Authorizer(Protocol):
    """Who may what. Answers are remembered until `Broker.rights_changed`.

    `principal` is what the host gave to `Connection.accept`; it is stored with the session, so it
    must mean the same after a restart.
    """

    def may_publish(self, principal: str, topic: str) -> bool: ...

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether the filter (without `$share/<name>/`) may be asked for at all."""

    def may_receive(self, principal: str, topic: str) -> bool:
        """Whether messages of this topic may go to a subscriber whose filter matches."""
