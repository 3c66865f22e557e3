"""How somebody is told of something: by e-mail, by a webhook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from barograph.domain.user import Principal


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a notice."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody is told."""

    id: str
    """The same whenever this notice is sent again, so that who gets it twice can tell."""
    subject: str
    text: str
    """For people."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For programs, in JSON's types."""
    attachments: Sequence[Attachment] = ()


class Notifier(Protocol):
    """One way to tell somebody."""

    def check(self, principal: Principal, own: str | None, target: str) -> None:
        """Raise `InvalidInput` or `Forbidden` unless `principal` may have notices sent to `target`.

        `own` is the e-mail address of the principal's user.
        """

    def send(self, target: str, notice: Notice) -> None:
        """Hand the notice over to whoever brings it to `target`; returns when that is certain.

        Raises `Unavailable` where trying again later may help, `InvalidInput` where it cannot.
        """
