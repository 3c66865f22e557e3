"""Places between two numbers, also where their difference is more, or less, than a float can say.

Sensors send such numbers where their memory was read before it was written.
"""

from sys import float_info

_LEAST = 1e-300
_MOST = float_info.max


def with_room(least: float, greatest: float, share: float) -> tuple[float, float]:
    """The ends of an axis for these values, with `share` of their difference beyond each."""
    half = greatest / 2 - least / 2
    room = next(
        one for one in (2 * share * half, abs(greatest) * 0.05, 1.0) if _LEAST < one <= _MOST
    )
    return max(least - room, -_MOST), min(greatest + room, _MOST)


def share_of(value: float, low: float, high: float) -> float:
    """How far from `low` to `high` the value lies: 0 to 1 for those between."""
    whole = high / 2 - low / 2
    return (value / 2 - low / 2) / whole if whole > _LEAST else 0.0


def middle(low: float, high: float) -> float:
    """Half of the way from `low` to `high`."""
    return low / 2 + high / 2
