"""What can go wrong for who asks a Barograph server, a mirror of its problem documents.

BarographClientError
├── NoAnswer                  the server cannot be reached, or said nothing in time
├── Interrupted               an answer that was being read broke off
├── UnexpectedAnswer          something answers, but not as a Barograph server does
├── JobFailed                 a job ended without a result
└── ServerError               the server answered with an error: status, title, detail, errors
    ├── MalformedInput        400  the request cannot be read
    ├── Unauthenticated       401  no credential, or one that is not valid
    ├── Forbidden             403  a valid credential without the right
    ├── NotFound              404  no such object, or another user's
    ├── Conflict              409  the name is taken, the state forbids it
    ├── TooLarge              413  over a size limit
    ├── InvalidInput          422  readable but wrong; `errors` names each place
    ├── TooManyRequests       429  slow down; `retry_after` seconds
    └── Unavailable           503  cannot store or answer now
        └── StorageFull       507  the disk is full

After `NoAnswer`, `Unavailable` and `TooManyRequests` the client has already tried again as often
as its `Retry` says, if trying again cannot do harm. A write that ended so is unknown or not done;
writing the same readings with the same times again never doubles them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where, and what would be right."""

    at: str
    message: str


class BarographClientError(Exception):
    """The root of every error that the client raises about its talk with a server."""


class NoAnswer(BarographClientError):
    """The server cannot be reached, or said nothing in time."""


class Interrupted(BarographClientError):
    """An answer that was being read broke off."""


class UnexpectedAnswer(BarographClientError):
    """Something answers, but not as a Barograph server does."""


class JobFailed(BarographClientError):
    """A job ended without a result."""


class ServerError(BarographClientError):
    """The server answered with an error."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        errors: Sequence[Problem] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after
        """Seconds after which the server says that trying again makes sense."""


class MalformedInput(ServerError):
    """The request cannot be read."""


class Unauthenticated(ServerError):
    """No credential was given, or it is not valid."""


class Forbidden(ServerError):
    """The credential does not carry this right."""


class NotFound(ServerError):
    """There is no such object for this caller."""


class Conflict(ServerError):
    """The object exists already, or its state does not allow this."""


class TooLarge(ServerError):
    """The request is over a size limit."""


class InvalidInput(ServerError):
    """The input is readable but wrong; nothing of it was applied."""


class TooManyRequests(ServerError):
    """The caller is over its rate."""


class Unavailable(ServerError):
    """The server cannot store or answer at the moment."""


class StorageFull(Unavailable):
    """The server's disk is full."""


_KINDS: dict[int, type[ServerError]] = {
    400: MalformedInput,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: TooManyRequests,
    503: Unavailable,
    507: StorageFull,
}


class _Item(msgspec.Struct):
    at: str = ""
    message: str = ""


class _Document(msgspec.Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Item] | None = None


def error_of(status: int, body: bytes, retry_after: float | None = None) -> ServerError:
    """The error that an answer of this status and body stands for."""
    try:
        document = msgspec.json.decode(body, type=_Document)
    except msgspec.DecodeError:  # a proxy's page, perhaps
        text = body[:200].decode("utf-8", "replace").strip()
        document = _Document(
            detail=f"the answer had status {status}" + (f": {text}" if text else "")
        )
    detail = document.detail or document.title or f"the answer had status {status}"
    problems = [Problem(item.at, item.message) for item in document.errors or ()]
    kind = _KINDS.get(status, ServerError)
    return kind(status, document.title, detail, problems, retry_after)
