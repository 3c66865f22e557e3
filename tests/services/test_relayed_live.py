"""Live readings over several processes, on a relay that a test can see through."""

import math
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import PATIENCE_SECONDS, until

from barograph.domain.batch import Batch
from barograph.domain.errors import Unavailable
from barograph.ports.processes import Relayed
from barograph.services.relayed_live import RelayedLiveBus, decode, encode

readings = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1),
        st.integers(0, 2**53),
        st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=50)),
    ),
    max_size=50,
)


@given(readings)
def test_what_is_encoded_comes_back(rows):
    batch = Batch.of(rows)
    found = [row for _, payload in encode(batch) for row in decode(payload).readings()]
    assert [tuple(row) for row in found] == rows


def test_parts_are_bounded_in_readings_and_bytes():
    rows = [(1, n, "ä" * 2000 if n % 2 else float(n)) for n in range(2500)]
    parts = encode(Batch.of(rows))
    assert all(count <= 1000 and len(payload) <= 64_000 for count, payload in parts)
    found = [tuple(row) for _, payload in parts for row in decode(payload).readings()]
    assert found == rows


class Table:
    """A relay in memory for several buses, which can be away."""

    def __init__(self):
        self.rows, self.end, self.away = [], 100, False
        self._lock = Lock()

    def _check(self):
        if self.away:
            raise Unavailable("the relay is away")

    def send(self, parts):
        self._check()
        with self._lock:
            for count, payload in parts:
                self.rows.append(Relayed(self.end, count, payload))
                self.end += count

    def next_number(self):
        self._check()
        return self.end

    def receive(self, number):
        self._check()
        with self._lock:
            return [row for row in self.rows if row.first >= number]


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def buses(table):
    found = []
    for _ in range(2):
        bus = RelayedLiveBus(table, 50, lambda: None)
        bus.heard = []
        bus.subscribe(lambda number, batch, bus=bus: bus.heard.append((number, list(batch.times))))
        bus.start()
        found.append(bus)
    yield found
    for bus in found:
        bus.close()


def of(*times):
    return Batch.of([(1, time, math.pi) for time in times])


def test_all_hear_everything_in_one_order(buses):
    for n in range(10):
        buses[n % 2].publish(of(n))
    until(lambda: all(sum(len(t) for _, t in bus.heard) == 10 for bus in buses))
    assert buses[0].heard == buses[1].heard
    assert buses[0].heard[0][0] == 100


def test_too_much_at_once_is_passed_over_by_number(buses, table):
    buses[0].publish(of(*range(60)))
    until(lambda: table.end == 160)
    buses[1].publish(of(7))
    until(lambda: all(bus.heard for bus in buses))
    assert [bus.heard for bus in buses] == [[(160, [7])]] * 2
    assert buses[0].since(100) == buses[0].since(160)


def test_what_is_lost_while_the_relay_is_away_is_passed_over_by_number(buses, table, caplog):
    table.away = True
    buses[0].publish(of(1, 2, 3))
    until(lambda: "not told live" in caplog.text)
    table.away = False
    until(lambda: table.end == 103)
    buses[0].publish(of(4))
    until(lambda: all(bus.heard for bus in buses))
    assert [bus.heard for bus in buses] == [[(103, [4])]] * 2


def test_a_part_that_cannot_be_read_is_passed_over_by_number(buses, table, caplog):
    table.send([(3, b"of a newer program")])
    buses[0].publish(of(4))
    until(lambda: all(bus.heard for bus in buses))
    assert [bus.heard for bus in buses] == [[(103, [4])]] * 2
    assert "cannot be told live" in caplog.text


def test_what_waits_is_sent_before_the_end(table):
    bus = RelayedLiveBus(table, 50, lambda: None)
    bus.start()
    bus.publish(of(1))
    bus.close()
    assert table.end == 101


def test_who_needs_readings_that_another_process_told_gets_them_from_the_relay(buses, table):
    ((_, payload),) = encode(of(1))
    table.send([(1, payload)] * 3)
    buses[1].reach(103).result(PATIENCE_SECONDS)
    assert [number for number, _ in buses[1].since(101)] == [101, 102]


def test_what_the_relay_does_not_have_is_not_waited_for(buses):
    buses[1].reach(10**15).result(PATIENCE_SECONDS)
    assert buses[1].sequence == 100


def test_a_relay_that_is_away_is_asked_again(buses, table, caplog):
    table.away = True
    reached = buses[1].reach(101)
    until(lambda: "not told live" in caplog.text)
    assert not reached.done()
    ((_, payload),) = encode(of(1))
    table.rows.append(Relayed(100, 1, payload))
    table.away = False
    reached.result(PATIENCE_SECONDS)
    assert buses[1].sequence == 101


def test_who_waits_no_longer_is_forgotten(buses, table, caplog):
    table.away = True
    assert buses[1].reach(101).cancel()
    until(lambda: "not told live" in caplog.text)
    table.away = False
    buses[0].publish(of(1))
    until(lambda: buses[1].heard)


def test_nobody_waits_for_a_bus_that_ends(table, caplog):
    bus = RelayedLiveBus(table, 50, lambda: None)
    table.away = True
    bus.start()
    reached = bus.reach(101)
    until(lambda: "not told live" in caplog.text)
    bus.close()
    assert reached.done()
