"""What can go wrong, told apart by what the sender should do next.

BarographError
├── MalformedInput        the bytes cannot be read at all             HTTP 400
├── InvalidInput          readable but wrong; names each place        HTTP 422
├── TooLarge              over a size limit                           HTTP 413
├── Unauthenticated       no credential, or one that is not valid     HTTP 401
├── Forbidden             a valid credential without the right        HTTP 403
├── NotFound              no such object, or another user's           HTTP 404
├── Conflict              the name is taken, the state forbids it     HTTP 409
├── TooManyRequests       slow down; `retry_after` seconds            HTTP 429
├── Unavailable           cannot store or answer now                  HTTP 503
│   ├── Overloaded        the bounded backlog is full
│   └── StorageFull       the disk is full                            HTTP 507
└── ConfigurationError    the program cannot start like this          exit status 2

After any of the `Unavailable` errors a write is unknown or not done: sending it again is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class BarographError(Exception):
    """The root of every error that Barograph raises on purpose."""


class MalformedInput(BarographError):
    """The input cannot be read."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input.

    `at` says where, as a path the sender recognises (`[3].temperature`, `line 7`, `stats`);
    `message` says what is wrong and what would be right.
    """

    at: str
    message: str


class InvalidInput(BarographError):
    """The input is readable but wrong; nothing of it was applied."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        super().__init__(f"{first.at}: {first.message}{more}" if first.at else first.message + more)

    @classmethod
    def of(cls, at: str, message: str) -> "InvalidInput":
        """The error for a single wrong place."""
        return cls((Problem(at, message),))


class TooLarge(BarographError):
    """The input is over a size limit."""


class Unauthenticated(BarographError):
    """No credential was given, or it is not valid."""


class Forbidden(BarographError):
    """The credential does not carry this right."""


class NotFound(BarographError):
    """There is no such object for this caller."""


class Conflict(BarographError):
    """The object exists already, or its state does not allow this."""


class TooManyRequests(BarographError):
    """The caller is over its rate."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds after which trying again makes sense."""


class Unavailable(BarographError):
    """Barograph cannot store or answer at the moment."""

    retry_after: float = 1.0
    """Seconds after which trying again makes sense."""


class Overloaded(Unavailable):
    """More is waiting to be stored than the limit allows."""


class StorageFull(Unavailable):
    """The disk is full."""

    retry_after = 30.0


class ConfigurationError(BarographError):
    """The settings cannot work; the message says what to set."""
