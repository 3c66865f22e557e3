"""The connection to Redis, and its errors told in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager

from barograph.domain.errors import ConfigurationError, Unavailable

try:
    import redis
except ModuleNotFoundError:
    raise ConfigurationError(
        "redis_url is set, but its client is not installed: pip install 'barograph[redis]'"
    ) from None

_CONNECT_SECONDS_MAX = 2.0
ANSWER_SECONDS_MAX = 5.0


def connect(url: str) -> redis.Redis:
    """A client, which connects when it is used; raises `ConfigurationError` for a wrong URL."""
    try:
        return redis.Redis.from_url(
            url,
            socket_connect_timeout=_CONNECT_SECONDS_MAX,
            socket_timeout=ANSWER_SECONDS_MAX,
            socket_keepalive=True,
            health_check_interval=30,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"redis_url cannot be read ({error}): write it like redis://localhost:6379/0"
        ) from None


@contextmanager
def explained() -> Iterator[None]:
    """Raise `Unavailable` for an error of Redis."""
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}") from error
