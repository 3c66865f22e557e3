"""One request and how its answer is read, without a word about who carries it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from barograph.client.errors import ServerError, UnexpectedAnswer, error_of

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

Query = Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, wholly received. The names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and what its answer means."""

    method: str
    path: str
    parse: Callable[[bytes], T]
    """From the body of an answer of success to the result."""
    query: Query = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True
    """Whether sending it twice does what sending it once does, so that it may be tried again."""
    timeout: float | None = None
    """Seconds to wait for the answer, where that is not the client's usual time."""

    def result(self, reply: Reply, *, again: bool = False) -> T:
        """What the answer says; raises `ServerError`.

        `again` tells that the request was sent before without an answer: what is to be removed may
        be gone by that.
        """
        if again and reply.status == 404 and self.parse is nothing and self.method == "DELETE":
            return self.parse(b"")
        if not 200 <= reply.status < 300:
            raise failed(reply)
        try:
            return self.parse(reply.body)
        except msgspec.DecodeError as error:
            raise UnexpectedAnswer(
                f"{self.method} {self.path} was answered, but not as Barograph does: {error}"
            ) from None


def get(path: str, parse: Callable[[bytes], T], **query: object) -> Call[T]:
    """A question. Parameters that are None or empty are left out."""
    return Call("GET", path, parse, query=query_of(query))


def send(
    method: str, path: str, parse: Callable[[bytes], T], body: object, *, idempotent: bool = False
) -> Call[T]:
    """A request with a body of JSON."""
    return Call(
        method,
        path,
        parse,
        content=msgspec.json.encode(body),
        headers={"content-type": "application/json"},
        idempotent=idempotent,
    )


def query_of(given: Mapping[str, object]) -> Query:
    """The parameters as they stand in a query; those that are None or empty are left out."""
    found: dict[str, str | int | float | bool] = {}
    for name, value in given.items():
        if value is None or value in {"", ()}:
            continue
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            found[name] = value
        else:
            raise TypeError(f"{name}: {value!r} cannot stand in a query")
    return found


def json_of(kind: type[S]) -> Callable[[bytes], S]:
    """The reader of a body of JSON that is such an object."""
    return msgspec.json.Decoder(kind).decode


def json_list_of(kind: type[S]) -> Callable[[bytes], list[S]]:
    """The reader of a body of JSON that is a list of such objects."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # a type made at run time
    return decoder.decode


def nothing(body: bytes) -> None:
    """The reader of an answer that says nothing but that it is done."""
    del body


def failed(reply: Reply) -> ServerError:
    """The error that an answer without success stands for."""
    return error_of(reply.status, reply.body, _retry_after(reply))


def _retry_after(reply: Reply) -> float | None:
    """The seconds that the header `Retry-After` names."""
    given = reply.headers.get("retry-after", "")
    return float(given) if given.isascii() and given.isdigit() and len(given) < 7 else None
