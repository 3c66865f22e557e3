"""Entries taken one by one: the exact path, which any message can take.

The quick path of `uniform` reads the common shapes to the same result; what it does not
understand, and all that is wrong, comes here, where each wrong place gets its name.
"""

import math
from collections.abc import Callable, Mapping

from barograph.codecs.decoded import (
    NOT_FINITE,
    PROBLEMS_MAX,
    Context,
    Decoded,
    finish,
    kind_of,
    shown,
    time_of,
    value_problem,
)
from barograph.domain.batch import MetricBatch
from barograph.domain.device import TIME_KEYS, metric_problem
from barograph.domain.errors import InvalidInput, Problem

Place = Callable[[int, str], str]
"""Names the place of an entry's key in a message, or of the whole entry where the key is empty."""


class Entries:
    """Collects the readings and the problems of a message."""

    def __init__(self, place: Place, context: Context) -> None:
        self._place = place
        self._context = context
        self._positions: dict[str, int] = {}
        self._index: list[int] = []
        self._times: list[int] = []
        self._values: list[float] = []
        self._texts: dict[int, str] = {}
        self._names: dict[str, str | None] = {}
        self._untimed: list[tuple[int, int]] = []
        self._problems: list[Problem] = []
        self.wrong = 0
        """How many wrong places were noted."""

    def problem(self, at: str, message: str) -> None:
        """Note something wrong.

        Raises `InvalidInput` at the last problem described where nothing but problems is wanted.
        """
        self.wrong += 1
        if len(self._problems) < PROBLEMS_MAX:
            self._problems.append(Problem(at, message))
            if len(self._problems) == PROBLEMS_MAX and not self._context.partial:
                raise InvalidInput(self._problems)

    def add(self, i: int, entry: object) -> None:
        """Take number `i` of the message's entries, an object."""
        if not isinstance(entry, dict) or NOT_FINITE in entry:
            self.problem(
                self._place(i, ""),
                f'an entry is an object such as {{"x": 1.5}}, not {kind_of(entry)}',
            )
            return
        timed = [key for key in TIME_KEYS if entry.get(key) is not None]
        if len(timed) > 1:
            message = f"the time is given both as {' and as '.join(timed)}: give it once"
            self.problem(self._place(i, ""), message)
            return
        time = None
        if timed:
            try:
                time = time_of(entry[timed[0]], self._context)
            except ValueError as error:
                self.problem(self._place(i, timed[0]), str(error))
                return
        self._add_values(i, time, entry)

    def _add_values(self, i: int, time: int | None, entry: Mapping[str, object]) -> None:
        start = len(self._values)
        for metric, value in entry.items():
            if metric not in TIME_KEYS:
                self._add_value(i, metric, value)
        if time is None:
            self._untimed.append((start, len(self._values)))
            time = self._context.now
        self._times += [time] * (len(self._values) - start)

    def _add_value(self, i: int, metric: str, value: object) -> None:
        problem = self._name_problem(metric) or value_problem(value, self._context.limits)
        if problem is not None:
            self.problem(self._place(i, shown(metric)), problem)
            return
        if value is None:
            return
        if isinstance(value, str):
            self._texts[len(self._values)] = value
            self._values.append(math.nan)
        else:
            assert isinstance(value, bool | int | float)
            self._values.append(float(value))
        self._index.append(self._positions.setdefault(metric, len(self._positions)))

    def _name_problem(self, metric: str) -> str | None:
        if metric not in self._names:
            self._names[metric] = metric_problem(metric, self._context.limits.metric_bytes_max)
        return self._names[metric]

    def finish(self) -> Decoded:
        """The result; raises as `decoded.finish` does."""
        # Entries without a time get the server's, one microsecond apart, the last one now:
        # otherwise the later ones would replace the earlier ones.
        for age, (start, stop) in enumerate(reversed(self._untimed)):
            for i in range(start, stop):
                self._times[i] -= age
        batch = MetricBatch(
            list(self._positions), self._index, self._times, self._values, self._texts
        )
        return finish(batch, self._problems, self.wrong, self._context)
