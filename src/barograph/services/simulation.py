"""Plausible readings of devices that do not exist: a house, a weather mast, cars, meters.

Pure: the same seed gives the same readings at the same times. Values have the course of a day and
of a year, wander slowly around it, and belong together (it rains when the pressure is low, a warm
room's heating is off).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from barograph.domain.time import DAY, HOUR, MINUTE, SECOND

Values = Mapping[str, float | bool | str]

_YEAR = 365.25 * DAY
_ROOMS = ("kitchen", "bedroom", "study", "bathroom", "living-room", "cellar", "hall", "attic")


class Wander:
    """A value that drifts around 0: an autoregressive process, at any step of time."""

    def __init__(self, random: Random, spread: float, memory: float) -> None:
        """`spread` is its standard deviation, `memory` (microseconds) how slowly it forgets."""
        self._random = random
        self._spread = spread
        self._memory = memory
        self._value = random.gauss(0, spread)
        self._time: int | None = None

    def at(self, time: int) -> float:
        """Its value at `time`, which does not go back."""
        if self._time is not None:
            kept = math.exp(-max(0, time - self._time) / self._memory)
            fresh = self._random.gauss(0, self._spread * math.sqrt(1 - kept * kept))
            self._value = self._value * kept + fresh
        self._time = time
        return self._value


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """A device that does not exist."""

    key: str
    name: str
    read: Callable[[int], Values]
    """Its readings at a time, which must not go back from call to call."""


def fleet(count: int, seed: int) -> list[SimulatedDevice]:
    """So many devices; those of a smaller fleet are the first of a larger one."""
    kinds = (_mast, _room, _room, _meter, _car, _room, _car, _machine)
    seen: dict[str, int] = {}
    devices = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        name = kind.__name__.removeprefix("_")
        place = seen[name] = seen.get(name, 0) + 1
        # Text seeds do not depend on the process, and each device has dice of its own.
        devices.append(kind(Random(f"{seed}/{number}"), place))  # noqa: S311  # no secret
    return devices


def household(seed: int) -> list[SimulatedDevice]:
    """What `barograph serve --demo` shows: a mast, a house with its meter and mower, cars."""
    kinds = (_mast, *[_room] * 5, _meter, _mower, *[_car] * 4)
    seen: dict[str, int] = {}
    devices = []
    for number, kind in enumerate(kinds):
        place = seen[kind.__name__] = seen.get(kind.__name__, 0) + 1
        devices.append(kind(Random(f"{seed}/{number}"), place))  # noqa: S311  # no secret
    return devices


def times(start: int, every: int, count: int | None = None) -> Iterator[int]:
    """The times of the rounds: `start`, and every `every` microseconds after it."""
    number = 0
    while count is None or number < count:
        yield start + number * every
        number += 1


def _day(time: int, peak_hour: float) -> float:
    """The course of a day, from -1 to 1, highest at `peak_hour` (UTC)."""
    return math.cos(2 * math.pi * ((time % DAY) / DAY - peak_hour / 24))


def _year(time: int) -> float:
    """The course of a year in the north, from -1 in mid-January to 1 in mid-July."""
    return -math.cos(2 * math.pi * ((time - 15 * DAY) % _YEAR) / _YEAR)


def _outside(time: int) -> float:
    return 10 + 9 * _year(time) + 4 * _day(time, 14)


def _room(random: Random, number: int) -> SimulatedDevice:
    room = _ROOMS[(number - 1) % len(_ROOMS)]
    floor = (number - 1) // len(_ROOMS)
    key = f"house/{room}" + (f"-{floor + 1}" if floor else "")
    comfort = random.uniform(18.5, 22)
    warmth, damp, people = (
        Wander(random, 0.5, 3 * HOUR),
        Wander(random, 6, 6 * HOUR),
        Wander(random, 180, HOUR),
    )
    battery = random.uniform(70, 100)

    def read(time: int) -> Values:
        temperature = comfort + 0.6 * _day(time, 18) + warmth.at(time)
        open_window = people.at(time) > 260
        return {
            "temperature": round(temperature - (2 if open_window else 0), 2),
            "humidity": round(min(95.0, max(20.0, 45 + 8 * _year(time) + damp.at(time))), 1),
            "co2": round(max(410.0, 620 + 180 * _day(time, 21) + people.at(time))),
            "battery": round(battery - (time % (90 * DAY)) / DAY / 3, 1),
            "heating": temperature < comfort and _outside(time) < 16,
            "window": "open" if open_window else "closed",
        }

    return SimulatedDevice(key, f"House, {room.replace('-', ' ')}", read)


def _mast(random: Random, number: int) -> SimulatedDevice:
    front, gust = Wander(random, 9, 36 * HOUR), Wander(random, 2, 10 * MINUTE)
    warmth = Wander(random, 2.5, 12 * HOUR)
    last = 0
    rained = 0.0

    def read(time: int) -> Values:
        nonlocal last, rained
        low = front.at(time)
        rate = max(0.0, -low - 6) * 0.4  # mm/h, when a low passes
        rained += rate * (time - last) / HOUR if last else 0.0
        last = time
        wind = abs(3 - low / 6 + gust.at(time))
        sun = max(0.0, _day(time, 12) + 0.35 * _year(time))
        return {
            "temperature": round(_outside(time) + warmth.at(time), 1),
            "pressure": round(1013.25 + low, 1),
            "humidity": round(min(100.0, max(25.0, 70 - 12 * _day(time, 14) - low)), 1),
            "wind": round(wind, 1),
            "wind_direction": round((220 + 4 * low + 10 * gust.at(time)) % 360),
            "rain": round(rained, 2),
            "illuminance": round(60_000 * sun * (0.3 if rate else 1)),
        }

    key = "weather-mast" + (f"-{number}" if number > 1 else "")
    return SimulatedDevice(key, f"Weather mast {number}", read)


def _meter(random: Random, number: int) -> SimulatedDevice:
    use = Wander(random, 250, 20 * MINUTE)
    last = 0
    energy = random.uniform(1_000, 20_000)

    def read(time: int) -> Values:
        nonlocal last, energy
        power = max(60.0, 450 + 220 * _day(time, 19) - 60 * _year(time) + use.at(time))
        energy += power / 1000 * (time - last) / HOUR if last else 0.0
        last = time
        return {
            "power": round(power, 1),
            "energy": round(energy, 4),
            "voltage": round(230 + use.at(time) / -120, 1),
        }

    return SimulatedDevice(f"meter-{number}", f"Electricity meter {number}", read)


def _car(random: Random, number: int) -> SimulatedDevice:
    mood, hurry = Wander(random, 1, 40 * MINUTE), Wander(random, 18, 2 * MINUTE)
    turn = Wander(random, 1.5, 15 * MINUTE)
    last = 0
    odometer, fuel = random.uniform(5_000, 180_000), random.uniform(20, 60)
    home = 52.52 + random.uniform(-0.2, 0.2), 13.4 + random.uniform(-0.3, 0.3)
    latitude, longitude = home
    sound = random.random()
    drives = False
    course = random.uniform(-math.pi, math.pi)

    def read(time: int) -> Values:
        nonlocal last, odometer, fuel, latitude, longitude, drives, course
        # Who drives goes on for a while, and so does who has parked.
        drives = mood.at(time) + 0.8 * _day(time, 13) > (-0.2 if drives else 0.9)
        speed = max(0.0, 55 + hurry.at(time)) if drives else 0.0
        # A car that nobody asks for a day has not driven all day.
        way = speed * min(time - last, 10 * MINUTE) / HOUR if last else 0.0
        last = time
        odometer += way
        fuel = fuel - way * 0.07 if fuel > 5 else 60.0
        bend = turn.at(time)
        for _ in range(steps := math.ceil(way / 0.5)):
            north, east = (home[0] - latitude) * 111, (home[1] - longitude) * 68
            # Around the home it goes as it likes; far from there it turns back.
            homesick = min(1.0, max(0.0, math.hypot(north, east) - 3) / 10)
            back = math.sin(math.atan2(east, north) - course)
            course += way / steps * (0.25 * bend + 0.8 * homesick * back)
            latitude += way / steps / 111 * math.cos(course)
            longitude += way / steps / 68 * math.sin(course)
        rpm = 900 + speed * 28 + 10 * hurry.at(time) if drives else 0.0
        return {
            "speed": round(speed, 1),
            "rpm": round(max(0.0, rpm)),
            "fuel": round(fuel, 2),
            "odometer": round(odometer, 2),
            "latitude": round(latitude, 5),
            "longitude": round(longitude, 5),
            "engine_temperature": round(
                88 + 3 * sound + hurry.at(time) / 12 if drives else 20.0, 1
            ),
            "engine": "on" if drives else "off",
        }

    return SimulatedDevice(f"car-{number}", f"Car {number}", read)


def _mower(random: Random, number: int) -> SimulatedDevice:
    shake = Wander(random, 0.15, 5 * MINUTE)
    delay = random.random() * HOUR

    def read(time: int) -> Values:
        # Two hours on the lawn, then one and a half at the dock.
        shift = (time + delay) % (3.5 * HOUR) / HOUR
        mows = shift < 2
        turn = shift * 2 * math.pi if mows else 0.0
        away = min(1.0, 8 * shift, 8 * max(0.0, 2 - shift))
        x = away * (9 * math.sin(3 * turn) + shake.at(time))
        y = away * (6 * math.sin(4 * turn + 0.6) + shake.at(time))
        charge = 100 - 40 * shift if mows else min(100.0, 20 + 60 * (shift - 2))
        return {
            "x": round(x, 2),
            "y": round(y, 2),
            # The lawn slopes, with a hollow in its middle.
            "z": round(0.12 * x - 1.5 * math.exp(-(x * x + y * y) / 20) * away, 2),
            "battery": round(charge, 1),
            "state": "mowing" if mows else "charging" if charge < 100 else "docked",
        }

    key = "house/mower" + (f"-{number}" if number > 1 else "")
    return SimulatedDevice(key, "House, lawn mower", read)


def _machine(random: Random, number: int) -> SimulatedDevice:
    load, shake = Wander(random, 0.2, 30 * MINUTE), Wander(random, 0.15, 5 * SECOND)
    made = random.randrange(1_000, 90_000)
    last = 0

    def read(time: int) -> Values:
        nonlocal made, last
        busy = min(1.0, max(0.0, 0.6 + 0.3 * _day(time, 12) + load.at(time)))
        made += round(busy * (time - last) / (20 * SECOND)) if last else 0
        last = time
        return {
            "vibration": round(0.4 + 1.8 * busy + abs(shake.at(time)), 3),
            "temperature": round(31 + 38 * busy + shake.at(time), 1),
            "load": round(100 * busy, 1),
            "pieces": made,
            "state": "running" if busy > 0.25 else "idle",
        }

    return SimulatedDevice(f"machine-{number}", f"Machine {number}", read)
