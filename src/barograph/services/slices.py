"""Cuts a question for numbers into pieces that can be answered one after the other.

Groups are independent of each other, and so are buckets: every statistic is taken within one
bucket. So the pieces' answers together are the answer, and between two of them a long question can
tell how far it is, and stop.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from barograph.domain.statistic import Summary
from barograph.ports.reading_store import Aggregation, ReadingStore

Report = Callable[[float], None]
"""Told how much of the work is done, 0 to 1; raises to stop it."""

Cells = dict[tuple[int, int], Summary]
"""Summaries by (group, bucket)."""

_PIECES = 32


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a question, and where its first group and bucket stand in the whole."""

    question: Aggregation
    group: int
    bucket: int


def pieces(question: Aggregation) -> Iterator[Piece]:
    """About 32 pieces that together are `question`, fewer where it has fewer cells."""
    groups = len(question.groups)
    group_step = -(-groups // _PIECES)
    if question.edges is None:
        for group in range(0, groups, group_step):
            chosen = question.groups[group : group + group_step]
            yield Piece(Aggregation(chosen, question.statistics, question.period), group, 0)
        return
    buckets = len(question.edges) - 1
    bucket_step = -(-buckets * groups // (_PIECES * group_step))
    bucket_step = min(buckets, max(1, bucket_step))
    for group in range(0, groups, group_step):
        chosen = question.groups[group : group + group_step]
        for bucket in range(0, buckets, bucket_step):
            edges = question.edges[bucket : bucket + bucket_step + 1]
            part = Aggregation(chosen, question.statistics, question.period, edges)
            yield Piece(part, group, bucket)


def summarize(store: ReadingStore, question: Aggregation, report: Report | None) -> Cells:
    """The store's cells: asked for at once, or in pieces where somebody wants to be told."""
    if report is None:
        return {(c.group, c.bucket): c.summary for c in store.summarize(question)}
    cells: Cells = {}
    todo = list(pieces(question))
    for done, piece in enumerate(todo):
        report(done / len(todo))
        for cell in store.summarize(piece.question):
            cells[cell.group + piece.group, cell.bucket + piece.bucket] = cell.summary
    report(1.0)
    return cells
