"""Answers a question for groups of series: one summary each, or one per bucket.

Numbers are summed up by the store, texts by `text_states`. Who may ask is checked before, by
`analytics`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph.domain.errors import InvalidInput
from barograph.domain.limits import Limits
from barograph.domain.period import edges as edges_of
from barograph.domain.statistic import of_nothing
from barograph.domain.time import DAY, TIME_MAX, format_time
from barograph.ports.clock import Clock
from barograph.ports.reading_store import Aggregation, ReadingStore
from barograph.services.fills import fill_numbers, fill_texts
from barograph.services.questions import Question
from barograph.services.slices import Cells, Report, summarize
from barograph.services.text_states import TextSummaries, TextSummary, of_no_texts

Answer = Mapping[str, object] | list[dict[str, object]]
"""A summary by statistic, or a list of buckets: `start`, `end` and the summary of each."""

_TEXTS_SHARE = 0.1
"""The share of a question's progress that the text metrics are."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question with its groups, and what was found out about them."""

    question: Question
    groups: Sequence[Sequence[int]]
    texts: frozenset[int]
    edges: Sequence[int] | None


class Summaries:
    """Sums up groups of series."""

    def __init__(self, store: ReadingStore, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits

    def answer(
        self,
        question: Question,
        groups: Sequence[Sequence[int]],
        report: Report | None = None,
    ) -> list[Answer]:
        """One answer per group; a group may be empty, and a series is in one group at most.

        With `report` the work is done in pieces, and `report` may raise between two of them.
        Raises `InvalidInput` for more buckets than the limit.
        """
        self._check_size(len(groups))
        series = [one for group in groups for one in group]
        if question.interval is None:
            edges = None
        else:
            edges = self._edges(question, series, len(groups))
            if edges is None:
                return [[] for _ in groups]
        texts = self._store.with_texts(series) if series else frozenset()
        asked = _Asked(question, groups, texts, edges)
        numbers = self._numbers(asked, report)
        states = self._states(asked, report) if texts else {}
        if report is not None:
            report(1.0)
        if edges is None:
            return [_whole(asked, group, numbers, states) for group in range(len(groups))]
        return _bucketed(asked, edges, numbers, states)

    def _check_size(self, groups: int) -> None:
        if groups > self._limits.buckets_max:
            raise InvalidInput.of(
                "metrics",
                f"{groups} summaries are more than {self._limits.buckets_max}: ask for fewer "
                "metrics, or for one summary of all devices",
            )

    def _edges(
        self, question: Question, series: Sequence[int], groups: int
    ) -> Sequence[int] | None:
        """The buckets' edges; an open side ends with the readings, None where there are none."""
        assert question.interval is not None
        start, end = question.period.start, question.period.end
        if start is None or end is None:
            extent = self._store.extent(series, question.period) if series else None
            if extent is None:
                return None
            start = extent[0] if start is None else start
            end = extent[1] + 1 if end is None else end
        buckets_max = self._limits.buckets_max // max(1, groups)
        try:
            edges = edges_of(question.interval, start, end, question.zone, buckets_max=buckets_max)
        except (ValueError, OverflowError):
            edges = [TIME_MAX]
        if edges[-1] > TIME_MAX - DAY:  # a day more, so that every zone can write it
            raise InvalidInput.of("interval", "its buckets reach beyond the year 9999")
        return edges

    def _numbers(self, asked: _Asked, report: Report | None) -> Cells:
        places = [place for place, group in enumerate(asked.groups) if group]
        if not places:
            return {}
        aggregation = Aggregation(
            [asked.groups[place] for place in places],
            asked.question.statistics,
            asked.question.period,
            asked.edges,
        )
        share = 1 - _TEXTS_SHARE if asked.texts else 1.0
        part = None if report is None else (lambda done: report(done * share))
        cells = summarize(self._store, aggregation, part)
        if len(places) == len(asked.groups):
            return cells
        return {(places[group], bucket): cell for (group, bucket), cell in cells.items()}

    def _states(
        self, asked: _Asked, report: Report | None
    ) -> Mapping[tuple[int, int], TextSummary]:
        of_texts = {
            place: chosen
            for place, group in enumerate(asked.groups)
            if (chosen := [one for one in group if one in asked.texts])
        }
        question = asked.question
        texts = TextSummaries(of_texts, question.period, asked.edges, self._clock(), self._limits)
        part = None if report is None else (lambda _: report(1 - _TEXTS_SHARE))
        texts.read(self._store, part)
        return texts.summaries(question.text_statistics)


def _has_texts(asked: _Asked, group: int) -> bool:
    return bool(asked.texts) and not asked.texts.isdisjoint(asked.groups[group])


def _ordered(asked: _Asked, summary: Mapping[str, object]) -> dict[str, object]:
    return {statistic.text: summary[statistic.text] for statistic in asked.question.statistics}


def _whole(
    asked: _Asked, group: int, numbers: Cells, states: Mapping[tuple[int, int], TextSummary]
) -> Mapping[str, object]:
    summary = numbers.get((group, 0))
    if summary is not None:
        return _ordered(asked, summary)
    if _has_texts(asked, group):
        found = states.get((group, 0))
        return of_no_texts(asked.question.text_statistics) if found is None else found
    return {s.text: of_nothing(s) for s in asked.question.statistics}


def _bucketed(
    asked: _Asked,
    edges: Sequence[int],
    numbers: Cells,
    states: Mapping[tuple[int, int], TextSummary],
) -> list[Answer]:
    full: list[dict[int, Mapping[str, object]]] = [{} for _ in asked.groups]
    for (group, bucket), found in states.items():
        full[group][bucket] = found
    for (group, bucket), summary in numbers.items():
        full[group][bucket] = _ordered(asked, summary)
    marks = [format_time(edge, asked.question.zone) for edge in edges]
    answers: list[Answer] = []
    for group, cells in enumerate(full):
        shown = sorted(cells.items())
        if asked.question.fill != "none":
            shown = list(enumerate(_filled(asked, edges, group, cells)))
        answers.append(
            [
                {"start": marks[bucket], "end": marks[bucket + 1], **summary}
                for bucket, summary in shown
            ]
        )
    return answers


def _filled(
    asked: _Asked, edges: Sequence[int], group: int, cells: Mapping[int, Mapping[str, object]]
) -> list[Mapping[str, object]]:
    question = asked.question
    if _has_texts(asked, group):
        empty = of_no_texts(question.text_statistics)
        return fill_texts(cells, len(edges) - 1, empty, question.fill)
    return fill_numbers(cells, edges, question.statistics, question.fill)
