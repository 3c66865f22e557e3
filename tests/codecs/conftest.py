"""What the tests of the codecs share: fixed conditions, and readings in a form to compare."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

import msgspec
import pytest

from barograph.codecs import Decoded, decoder_for
from barograph.codecs.decoded import Context
from barograph.domain.batch import MetricBatch
from barograph.domain.limits import Limits
from barograph.domain.time import from_text

Named = tuple[str, int, float | str]


@pytest.fixture(scope="session")
def now() -> int:
    return from_text("2026-06-01T12:00:00Z")


@pytest.fixture(scope="session")
def limits() -> Limits:
    return Limits()


@pytest.fixture(scope="session")
def context(now: int, limits: Limits) -> Context:
    return Context(now, UTC, limits, partial=False)


@pytest.fixture(scope="session")
def read(now: int, limits: Limits) -> Callable[..., Decoded]:
    """Decode a body (bytes, or anything to be encoded as JSON) under fixed conditions."""

    def read(body: Any, content_type: bytes = b"application/json", **changed: Any) -> Decoded:
        encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
        conditions = {"now": now, "zone": UTC, "limits": limits} | changed
        return decoder_for(content_type)(encoded, **conditions)

    return read


@pytest.fixture(scope="session")
def readings() -> Callable[[Decoded | MetricBatch], list[Named]]:
    """The readings as (metric, time, value), in their order."""

    def readings(found: Decoded | MetricBatch) -> list[Named]:
        batch = found.batch if isinstance(found, Decoded) else found
        columns = zip(batch.index, batch.times, batch.values, strict=True)
        return [
            (
                batch.metrics[int(index)],
                int(time),
                batch.texts[i] if i in batch.texts else float(value),
            )
            for i, (index, time, value) in enumerate(columns)
        ]

    return readings
