"""What messages come to, on the quick way and on the exact one."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.codecs.value import decode_value, timed_number
from barograph.domain.limits import Limits
from barograph.domain.time import HOUR, SECOND
from barograph.domain.user import OPERATOR
from barograph.transport.http.access import Access
from barograph.transport.mqtt.access import OPERATOR_NAME, MqttAccess
from barograph.transport.mqtt.readings import MqttIngest, Publisher
from barograph.transport.mqtt.rights import Rights
from barograph.transport.mqtt.topics import Topics

NOW = 1_750_000_000
LATEST = NOW * SECOND + 24 * HOUR

VALUES = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["true", "null", '"x"', "1e999", "-0", "1_0", "NaN", "[]"]),
)
TIMES = st.one_of(
    st.integers(-5, 2 * 10**19).map(str),
    st.integers(NOW - 10, NOW + 10).map(str),
    st.floats(0, 4e9).map(repr),
    st.sampled_from(["true", "null", '"2026-05-01"', "1e9", "-1"]),
)


@st.composite
def objects(draw):
    names = draw(st.lists(st.sampled_from(["value", "ts", "time", "x", "v\\u0061lue"]), max_size=4))
    items = [f'"{one}" : {draw(TIMES if one == "ts" else VALUES)}' for one in names]
    return ("{" + ",".join(items) + "}").encode()


@given(objects())
@settings(max_examples=500)
def test_what_is_read_quickly_is_what_the_exact_way_reads(payload):
    quick = timed_number(payload, LATEST)
    if quick is not None:
        exact = decode_value(payload, now=NOW * SECOND, zone=ZoneInfo("UTC"), limits=Limits())
        assert quick == exact
        assert (type(quick[0]), type(quick[1])) == (int, float)


def test_the_usual_message_is_read_quickly():
    assert timed_number(b'{"value": 21.5, "ts": 1750000000}', LATEST) == (NOW * SECOND, 21.5)
    assert timed_number(b'{"ts":1750000000123,"value":3}', LATEST) == (NOW * SECOND + 123_000, 3.0)
    assert timed_number(b'{"ts":%d,"value":3}' % (NOW + 90_000), LATEST) is None
    assert timed_number(b'{"ts":1,"ts":2,"value":3}', LATEST) is None


@pytest.fixture
def take(core, fleet):
    """What messages to the devices of a user come to: (metric, time, value), and what is refused."""
    core.clock.now = NOW * SECOND
    device = fleet.device("pump")
    names = {core.registry.ensure_series(device.id, [one])[one]: one for one in ("a", "b", "value")}
    access = MqttAccess(
        core.registry,
        core.accounts,
        Access(core.registry, core.accounts, "auto", ["::1"]),
        open=False,
    )
    topics = Topics(core.registry)
    ingest = MqttIngest(core, access, Rights(access, topics, auto_create=False), topics)
    publisher = Publisher(OPERATOR_NAME)

    def take(topic, *payloads):
        publishes = [(f"devices/{device.key}{topic}".encode(), one, 2, 1, None) for one in payloads]
        arrivals = []
        taken = ingest.take(publisher, publishes, arrivals)
        assert len(arrivals) == len(payloads)
        batch = taken.batch()
        assert taken.messages == len(payloads)
        readings = [(names[one], time / SECOND, value) for one, time, value in batch.readings()]
        return readings, sorted(taken.refused)

    take.device = device
    return take


@pytest.mark.parametrize("times", [1, 2])
def test_objects_may_give_the_time_of_their_numbers(take, times):
    for _ in range(times):  # the second time the topic is remembered
        readings, refused = take(
            "/data",
            b'{"a": 1, "b": 2.5, "ts": 1750000000}',
            b'{"ts": 1749999999.25, "a": 3}',
            b'{"ts": 1749999998000000000, "a": 4}',
            b'{"ts": "2025-06-15T15:06:37Z", "a": 5}',
            b'{"ts": 1950000000, "a": 6}',
            b'{"ts": -1, "a": 7}',
            b'{"ts": 1750000000}',
        )
        assert readings == [
            ("a", NOW, 1),
            ("b", NOW, 2.5),
            ("a", NOW - 0.75, 3),
            ("a", NOW - 2, 4),
            ("a", NOW - 3, 5),
        ]
        assert refused == [4, 5]  # a time alone is no reading, and no mistake


def test_a_value_may_give_its_time(take):
    for _ in range(2):
        readings, refused = take(
            "/a",
            b'{"value": 21.5, "ts": 1750000000}',
            b'{"value": 1, "ts": 1749999999.5}',
            b'{"value": true, "ts": 1749999998}',
            b'{"value": 2, "ts": 1950000000}',
            b'{"value": 2, "ts": 1749999997, "value": 3}',
        )
        assert readings == [
            ("a", NOW, 21.5),
            ("a", NOW - 0.5, 1),
            ("a", NOW - 2, 1),
            ("a", NOW - 3, 3),
        ]
        assert refused == [3]


def test_times_of_both_are_rounded_as_the_device_wants_it(core, take):
    core.devices.update(OPERATOR, take.device, round_time=60 * SECOND)
    at = NOW - NOW % 60
    for _ in range(2):
        assert take("/data", b'{"a": 1, "ts": 1750000000}')[0] == [("a", at, 1)]
        assert take("/a", b'{"value": 1, "ts": 1750000000}')[0] == [("a", at, 1)]
