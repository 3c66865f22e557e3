"""A dashboard's panels, as a page shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from barograph.domain.batch import Reading
from barograph.domain.dashboard import Dashboard
from barograph.domain.errors import BarographError, Unavailable
from barograph.domain.metric import COLOURS
from barograph.domain.user import Principal
from barograph.services.core import Core
from barograph.services.timeline import timeline
from barograph.transport.web.answers import Asked, Subject
from barograph.transport.web.chart import courses
from barograph.transport.web.drawing import Drawing, draw
from barograph.transport.web.language import Language, marked
from barograph.transport.web.plots import Plot, arc, draw_bars, draw_lines, time_labels
from barograph.transport.web.site import Visit

_STATES_WIDTH = 1000
_STATE_SLOTS = 200
_SPARK_POINTS = 60
_SPARK_WIDTH, _SPARK_HEIGHT = 240, 40
_FIGURES_MAX = 6
_ROWS_MAX = 60
_GAUGES_MAX = 4
_POINTS_ACROSS = 600
_EVERY_MS_MIN, _EVERY_MS_MAX = 1_500, 30_000


@dataclass(frozen=True, slots=True)
class Figure:
    """One number or text of a stat panel or a gauge."""

    subject: Subject
    value: float | str | None
    time: int | None
    filled: float = 0.0
    """Of a gauge's half circle, in percent."""
    holds: bool = True
    """Whether the value lies within the metric's limits."""


@dataclass(frozen=True, slots=True)
class State:
    """One span of a timeline in its box."""

    x: float
    width: float
    pen: int
    title: str


@dataclass(frozen=True, slots=True)
class PanelView:
    """One panel; `problem` says why there is nothing to see."""

    index: int
    panel: Mapping[str, Any]
    title: str
    problem: str = ""
    plot: Plot | None = None
    figures: Sequence[Figure] = ()
    spark: Drawing | None = None
    statistic: str = ""
    names: Sequence[str] = ()
    rows: Sequence[tuple[Subject, Sequence[float | str | None]]] = ()
    timelines: Sequence[tuple[Subject, Sequence[State]]] = ()
    times: Sequence[tuple[str, float]] = ()
    """The labels of time below the timelines and how far right they are, in percent."""
    legend: Sequence[tuple[str, int]] = ()
    paragraphs: Sequence[Sequence[str]] = field(default_factory=tuple)
    every_ms: int = 0

    @property
    def kind(self) -> str:
        """What is shown."""
        return str(self.panel["kind"])


def panel_views(
    core: Core,
    visit: Visit,
    rights: Principal,
    dashboard: Dashboard,
    start_time: str | None,
    only: Sequence[int] | None = None,
) -> list[PanelView]:
    """Every panel, or those in the places of `only`.

    `start_time` (such as `-7d`) takes the place of each panel's own period.
    """
    return [
        _view(core, visit, rights, index, panel, start_time)
        for index, panel in enumerate(dashboard.panels)
        if only is None or index in only
    ]


def _view(
    core: Core,
    visit: Visit,
    rights: Principal,
    index: int,
    panel: Mapping[str, Any],
    start_time: str | None,
) -> PanelView:
    view = PanelView(index, panel, panel["title"])
    if panel["kind"] == "text":
        blocks = panel["text"].replace("\r\n", "\n").split("\n\n")
        return replace(view, paragraphs=[block.split("\n") for block in blocks if block.strip()])
    given = dict(panel["question"])
    if start_time is not None:
        given.pop("end_time", None)
        given["start_time"] = start_time
    given.setdefault("tz", str(visit.zone))
    try:
        asked = Asked(core, rights, given)
        if not view.title:
            view = replace(view, title=_title(asked))
        return _fill(core, visit, view, asked)
    except Unavailable:
        raise
    except BarographError as error:
        # What is missing may come back: a page that stays open asks again.
        return replace(view, problem=visit.refusal(error), every_ms=_EVERY_MS_MAX)


def _every(asked: Asked, kind: str, length: int) -> int:
    """How often (milliseconds) it is worth showing the panel anew while readings come."""
    if kind in {"stat", "gauge"} and asked.question.statistics[0].text == "last":
        return _EVERY_MS_MIN
    # A curve is about so many points wide: sooner nobody would see that it moved.
    return min(max(_EVERY_MS_MIN, length // 1_000 // _POINTS_ACROSS), _EVERY_MS_MAX)


def _title(asked: Asked) -> str:
    names = [device.name for device in asked.devices]
    called = ", ".join(names[:2]) + (f" +{len(names) - 2}" if len(names) > 2 else "")
    labels = list(dict.fromkeys(subject.label for subject in asked.subjects))
    if len(asked.devices) == 1 and len(labels) == 1:
        return f"{called} · {labels[0]}"
    return called


def _fill(core: Core, visit: Visit, view: PanelView, asked: Asked) -> PanelView:
    language: Language = visit.language
    start, end = asked.bounds()
    zone = asked.question.zone
    statistic = asked.question.statistics[0]
    view = replace(view, every_ms=_every(asked, view.kind, end - start))
    match view.kind:
        case "line":
            return replace(view, plot=draw_lines(asked.lines(), start, end, language, zone))
        case "bar":
            lines, edges = asked.bars()
            plot = draw_bars(lines, edges, start, end, language, zone)
            return replace(view, plot=plot, statistic=statistic.text)
        case "stat" | "gauge":
            figures = _figures(core, asked, view)
            spark = _spark(core, figures, start, end) if view.kind == "stat" else None
            return replace(view, figures=figures, spark=spark, statistic=statistic.text)
        case "table":
            names = [one.text for one in asked.question.statistics]
            rows = [
                (subject, [answer.get(name) for name in names])
                for subject, answer in asked.figures()[:_ROWS_MAX]
            ]
            return replace(view, names=names, rows=rows)
    return _timelines(core, visit, view, asked)


def _figures(core: Core, asked: Asked, view: PanelView) -> list[Figure]:
    statistic = asked.question.statistics[0].text
    most = _GAUGES_MAX if view.kind == "gauge" else _FIGURES_MAX
    found: list[Figure] = []
    if statistic == "last":
        for subject, reading in asked.newest():
            if reading is not None and (view.kind == "stat" or not subject.text):
                found.append(_figure(core, view, subject, reading.value, reading))
    else:
        for subject, answer in asked.figures():
            if not subject.text:
                found.append(_figure(core, view, subject, answer.get(statistic), None))
    return found[:most]


def _figure(
    core: Core,
    view: PanelView,
    subject: Subject,
    value: float | str | None,
    reading: Reading | None,
) -> Figure:
    filled = 0.0
    if view.kind == "gauge" and isinstance(value, int | float):
        low, high = view.panel["low"], view.panel["high"]
        filled = arc((value - low) / (high - low))
    holds = value is None or core.registry.metric_settings(subject.series).holds(value)
    return Figure(subject, value, None if reading is None else reading.time, filled, holds)


def _spark(core: Core, figures: Sequence[Figure], start: int, end: int) -> Drawing | None:
    if len(figures) != 1 or figures[0].subject.text:
        return None
    found = courses(core.store, {"": figures[0].subject.series}, start, end, _SPARK_POINTS)
    return draw(found[0], start, end, _SPARK_WIDTH, _SPARK_HEIGHT)


def _timelines(core: Core, visit: Visit, view: PanelView, asked: Asked) -> PanelView:
    start, end = asked.bounds()
    across = _STATES_WIDTH / (end - start)
    pens: dict[str, int] = {}
    found = []
    one_metric = len({subject.metric for subject in asked.texts}) == 1
    for subject in asked.texts:
        spans = []
        line = timeline(core.store, subject.series, start, end, visit.now, _STATE_SLOTS)
        for span in line.spans:
            state, pen = visit.text(_CHANGING), 0
            if span.state is not None:
                state = span.state
                pen = pens.get(state) or sum(one > 0 for one in pens.values()) % COLOURS + 1
            pens[state] = pen
            when = visit.language.moment(span.start, asked.question.zone)
            spans.append(
                State(
                    round((span.start - start) * across, 1),
                    round(max((span.end - span.start) * across, 1.0), 1),
                    pen,
                    f"{state}, {when}",
                )
            )
        # Where all are of one metric, its name would only take the room of the devices'.
        label = subject.label
        if one_metric and len(asked.devices) > 1 and subject.device is not None:
            label = subject.device.name
        found.append((replace(subject, label=label), spans))
    problem = (
        "" if found else visit.text(marked("No metric here has states: choose one with texts."))
    )
    times = time_labels(start, end, visit.language, asked.question.zone)
    return replace(view, timelines=found, times=times, legend=list(pens.items()), problem=problem)


_CHANGING = marked("changing")
