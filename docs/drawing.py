"""Draws the architecture: `python -m docs.drawing` writes architecture.drawio and architecture.svg.

Both are made of the boxes and arrows below, so edit these. `tests/docs/test_drawing.py` holds them
to the code: every file and room named here exists, every room is drawn, and every arrow between
two of them is an import.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
WIDTH, HEIGHT = 1240, 976

Kind = Literal["outside", "room", "part"]
Way = Literal["readings", "questions", "implements"]
Side = Literal["top", "bottom", "left", "right"]


@dataclass(frozen=True)
class Box:
    """A rectangle. `path` is what it stands for, below src/barograph; outside it is only a name."""

    path: str
    x: int
    y: int
    w: int
    h: int
    kind: Kind
    title: str
    about: str = ""


@dataclass(frozen=True)
class Arrow:
    """From one box to another, by path; `at` moves its ends along their sides, in pixels."""

    source: str
    target: str
    way: Way
    leaves: Side = "bottom"
    enters: Side = "top"
    at: tuple[int, int] = (0, 0)
    handed: bool = False
    """Whether the source does not import the target: it is handed one, by cli or wiring."""


def _row(y: int, h: int, kind: Kind, *boxes: tuple[str, int, int, str, str]) -> list[Box]:
    return [Box(path, x, y, w, h, kind, title, about) for path, x, w, title, about in boxes]


def _column(x: int, w: int, *boxes: tuple[str, str], top: int = 428) -> list[Box]:
    return [
        Box(path, x, top + 48 * place, w, 40, "part", title)
        for place, (path, title) in enumerate(boxes)
    ]


BOXES = [
    *_row(
        20,
        56,
        "outside",
        ("Devices", 60, 170, "Devices, gateways", "MQTT, HTTP"),
        ("Broker", 250, 170, "Another MQTT broker", "Mosquitto, EMQX …"),
        ("Programs", 440, 190, "Programs", "HTTP; the Python client"),
        ("Browsers", 650, 170, "Browsers", "the dashboard"),
        ("People", 840, 140, "People, services", "mail, webhooks"),
        ("Shell", 1040, 160, "Shell", "barograph …"),
    ),
    Box("transport", 40, 120, 960, 214, "room", "transport", "alone knows an event loop"),
    *_row(
        160,
        64,
        "part",
        ("transport/mqtt/listener.py", 60, 170, "mqtt/listener.py", "TCP, TLS, WebSocket"),
        ("transport/mqtt/bridge.py", 250, 170, "mqtt/bridge.py", "client of that broker"),
        ("transport/http/server.py", 440, 190, "http/server.py", "deadlines, bounds"),
        ("transport/web", 650, 170, "web/", "English and Russian"),
        ("transport/notifiers", 840, 140, "notifiers/", "SMTP, webhooks"),
    ),
    *_row(
        250,
        64,
        "part",
        ("transport/mqtt/readings.py", 60, 170, "mqtt/readings.py", "topics to batches"),
        (
            "transport/http/short_ingest.py",
            250,
            170,
            "http/short_ingest.py",
            "small writes, no task",
        ),
        ("transport/http/routes.py", 440, 190, "http/routes.py", "our API, OpenAPI"),
        ("transport/http/systems", 650, 170, "http/systems/", "five older APIs"),
        ("transport/reports", 840, 140, "reports/", "page, PDF, tables"),
    ),
    Box("codecs", 40, 376, 150, 254, "room", "codecs", "no I/O"),
    *_column(
        50,
        130,
        ("codecs/json_readings.py", "json_readings.py"),
        ("codecs/ndjson.py", "ndjson.py"),
        ("codecs/csv_readings.py", "csv_readings.py"),
        ("codecs/value.py", "value.py"),
    ),
    Box("mqtt", 210, 376, 150, 254, "room", "mqtt", "no I/O"),
    *_column(
        230,
        110,
        ("mqtt/connection.py", "connection.py"),
        ("mqtt/session.py", "session.py"),
        ("mqtt/broker.py", "broker.py"),
        ("mqtt/client.py", "client.py"),
    ),
    Box("services", 380, 376, 620, 254, "room", "services", "no web, no SQL"),
    *_row(
        420,
        56,
        "part",
        ("services/ingest.py", 400, 134, "ingest.py", "metrics to series"),
        ("services/analytics.py", 548, 134, "analytics.py", "summaries"),
        ("services/jobs.py", 696, 134, "jobs.py", "rows with a lease"),
        ("services/schedules.py", 844, 136, "schedules.py", "reports that are due"),
    ),
    *_row(
        490,
        56,
        "part",
        ("services/latest.py", 400, 134, "latest.py", "newest values"),
        ("services/readings.py", 548, 134, "readings.py", "out and away"),
        ("services/registry.py", 696, 134, "registry.py", "catalog in memory"),
        ("services/report_making.py", 844, 136, "report_making.py", "a kind of job"),
    ),
    *_row(
        560,
        56,
        "part",
        ("services/writer.py", 400, 134, "writer.py", "the group commit"),
        ("services/live.py", 548, 134, "live.py", "events of commits"),
        ("services/accounts.py", 696, 134, "accounts.py", "users, tokens"),
        ("services/devices.py", 844, 136, "devices.py", "keys, tokens"),
    ),
    Box("ports", 40, 662, 960, 92, "room", "ports", "what services need of the outside"),
    *_row(
        698,
        44,
        "part",
        ("ports/processes.py", 60, 140, "processes.py", ""),
        ("ports/job_queue.py", 216, 144, "job_queue.py", ""),
        ("ports/reading_store.py", 380, 174, "reading_store.py", ""),
        ("ports/live_bus.py", 568, 100, "live_bus.py", ""),
        ("ports/catalog.py", 682, 148, "catalog.py", ""),
        ("ports/notifier.py", 844, 136, "notifier.py", ""),
    ),
    Box("stores", 40, 790, 790, 104, "room", "stores", "one test suite"),
    *_row(
        826,
        56,
        "part",
        ("stores/readings/duckdb", 60, 180, "readings/duckdb/", "the default, embedded"),
        ("stores/readings/journal.py", 254, 180, "readings/journal.py", "synced before the answer"),
        ("stores/readings/sql", 448, 180, "readings/sql/", "three databases"),
        ("stores/catalog", 642, 174, "catalog/", "SQLAlchemy, migrations"),
    ),
    *_row(
        920,
        40,
        "outside",
        ("DuckDB", 60, 180, "readings.duckdb", ""),
        ("Journal", 254, 180, "journal/", ""),
        ("Servers", 448, 180, "PostgreSQL, MariaDB", ""),
        ("SQLite", 642, 174, "data.db (SQLite)", ""),
        ("Queues", 1034, 156, "Redis, RabbitMQ", ""),
    ),
    Box("cli", 1040, 120, 160, 62, "room", "cli", "the commands"),
    Box("wiring", 1040, 206, 160, 62, "room", "wiring", "alone names stores"),
    Box("config.py", 1040, 292, 160, 62, "room", "config.py", "every setting once"),
    Box("client", 1040, 378, 160, 62, "room", "client", "the Python client"),
    Box("domain", 1040, 560, 160, 194, "room", "domain", "the rules"),
    *_column(
        1060,
        120,
        ("domain/time.py", "time.py"),
        ("domain/period.py", "period.py"),
        ("domain/statistic.py", "statistic.py"),
        top=612,
    ),
    Box("jobs", 856, 790, 344, 104, "room", "jobs", "who runs them"),
    *_row(
        826,
        56,
        "part",
        ("jobs/in_process.py", 866, 158, "in_process.py", "the default"),
        ("jobs/celery_queue.py", 1034, 156, "celery_queue.py", "and workers"),
    ),
]

ARROWS = [
    Arrow("Devices", "transport/mqtt/listener.py", "readings"),
    Arrow("Broker", "transport/mqtt/bridge.py", "readings"),
    Arrow("Programs", "transport/http/server.py", "readings", at=(-20, -20)),
    Arrow("Programs", "transport/http/server.py", "questions", at=(20, 20)),
    Arrow("Browsers", "transport/web", "questions"),
    Arrow("transport/notifiers", "People", "questions", "top", "bottom"),
    Arrow("Shell", "cli", "questions"),
    Arrow("transport/mqtt/listener.py", "transport/mqtt/readings.py", "readings"),
    Arrow("transport/mqtt/bridge.py", "transport/mqtt/readings.py", "readings", at=(-60, 60)),
    Arrow(
        "transport/http/server.py",
        "transport/http/short_ingest.py",
        "readings",
        at=(-60, 40),
        handed=True,
    ),
    Arrow("transport/mqtt/readings.py", "codecs", "readings", at=(-30, 0)),
    Arrow("transport/mqtt/listener.py", "mqtt", "readings", "right", "top", (0, -45)),
    Arrow("transport/http/short_ingest.py", "services/ingest.py", "readings", at=(60, 0)),
    Arrow("transport/http/routes.py", "services/analytics.py", "questions", at=(60, 0)),
    Arrow("transport/http/systems", "services/jobs.py", "questions", at=(20, 0)),
    Arrow("services/writer.py", "ports/reading_store.py", "readings"),
    Arrow("services/live.py", "ports/live_bus.py", "implements", at=(3, 0)),
    Arrow("services/accounts.py", "ports/catalog.py", "questions"),
    Arrow("services/schedules.py", "ports/notifier.py", "questions", "right", "right"),
    Arrow(
        "stores/readings/duckdb", "ports/reading_store.py", "implements", "top", "bottom", (75, -60)
    ),
    Arrow("stores/readings/sql", "ports/reading_store.py", "implements", "top", "bottom", (0, 50)),
    Arrow("stores/catalog", "ports/catalog.py", "implements", "top", "bottom", (27, 0)),
    Arrow("stores/readings/duckdb", "stores/readings/journal.py", "readings", "right", "left"),
    Arrow("stores/readings/duckdb", "DuckDB", "readings"),
    Arrow("stores/readings/journal.py", "Journal", "readings"),
    Arrow("stores/readings/sql", "Servers", "readings", at=(-20, -20)),
    Arrow("stores/catalog", "SQLite", "questions"),
    Arrow("stores/catalog", "Servers", "questions", at=(-60, 60)),
    Arrow("jobs/celery_queue.py", "Queues", "questions"),
    Arrow("cli", "wiring", "questions"),
    Arrow("wiring", "config.py", "questions"),
]

_COLOURS: dict[Way, str] = {"readings": "#b3450f", "questions": "#1f4f9e", "implements": "#566079"}
_FILLS: dict[Kind, str] = {"outside": "#ffffff", "room": "#f5f1e7", "part": "#fffdf7"}
_LEGEND: tuple[tuple[Way, str], ...] = (
    ("readings", "the way of a reading"),
    ("questions", "the way of a question"),
    ("implements", "implements"),
)


def inside() -> dict[str, Box]:
    """The boxes that stand for a file or a room of src/barograph, by path."""
    return {box.path: box for box in BOXES if box.kind != "outside"}


def _by_path() -> dict[str, Box]:
    return {box.path: box for box in BOXES}


def _end(box: Box, side: Side, at: int) -> tuple[int, int]:
    middle, centre = box.x + box.w // 2 + at, box.y + box.h // 2 + at
    return {
        "top": (middle, box.y),
        "bottom": (middle, box.y + box.h),
        "left": (box.x, centre),
        "right": (box.x + box.w, centre),
    }[side]


def _corners(arrow: Arrow) -> list[tuple[int, int]]:
    """The points of the arrow's line, which has right angles only."""
    boxes = _by_path()
    x1, y1 = _end(boxes[arrow.source], arrow.leaves, arrow.at[0])
    x2, y2 = _end(boxes[arrow.target], arrow.enters, arrow.at[1])
    upright = {"top", "bottom"}
    if arrow.leaves in upright and arrow.enters in upright:
        middle = (y1 + y2) // 2
        points = [(x1, y1), (x1, middle), (x2, middle), (x2, y2)]
    elif arrow.leaves in upright:
        points = [(x1, y1), (x1, y2), (x2, y2)]
    elif arrow.enters in upright:
        points = [(x1, y1), (x2, y1), (x2, y2)]
    elif arrow.leaves == arrow.enters:
        out = max(x1, x2) + 10
        points = [(x1, y1), (out, y1), (out, y2), (x2, y2)]
    else:
        points = [(x1, y1), (x2, y2)]
    return [one for i, one in enumerate(points) if i == 0 or one != points[i - 1]]


def svg() -> str:
    """The drawing as SVG."""
    family = "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="{family}">',
        "<title>The architecture of Barograph</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        "<defs>",
    ]
    for way, colour in _COLOURS.items():
        lines.append(
            f'<marker id="{way}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8Z" fill="{colour}"/></marker>'
        )
    lines.append("</defs>")
    lines += [line for box in BOXES for line in _svg_box(box)]
    for arrow in ARROWS:
        points = " ".join(f"{x},{y}" for x, y in _corners(arrow))
        dashes = ' stroke-dasharray="5 4"' if arrow.way == "implements" else ""
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{_COLOURS[arrow.way]}" '
            f'stroke-width="1.6" stroke-linejoin="round"{dashes} marker-end="url(#{arrow.way})"/>'
        )
    for place, (way, text) in enumerate(_LEGEND):
        y = 470 + place * 22
        dashes = ' stroke-dasharray="5 4"' if way == "implements" else ""
        lines.append(
            f'<line x1="1040" y1="{y}" x2="1072" y2="{y}" stroke="{_COLOURS[way]}" '
            f'stroke-width="1.6"{dashes} marker-end="url(#{way})"/>'
            f'<text x="1082" y="{y + 4}" font-size="12" fill="#14233f">{escape(text)}</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _svg_box(box: Box) -> Iterator[str]:
    dashes = ' stroke-dasharray="4 3"' if box.kind == "outside" else ""
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" rx="8" '
        f'fill="{_FILLS[box.kind]}" stroke="#a99f87"{dashes}/>'
    )
    if box.kind == "room" and box.h > 80:
        yield _text(box.x + 14, box.y + 22, box.title, 15, weight=600, anchor="start")
        yield _text(box.x + 32 + 9 * len(box.title), box.y + 22, box.about, 12, anchor="start")
        return
    middle, centre = box.x + box.w // 2, box.y + box.h // 2
    if box.title:
        yield _text(middle, centre + (-3 if box.about else 5), box.title, 13, weight=600)
    if box.about:
        yield _text(middle, centre + 14, box.about, 11.5)


def _text(
    x: int, y: int, text: str, size: float, *, weight: int = 400, anchor: str = "middle"
) -> str:
    colour = "#14233f" if weight > 400 else "#566079"
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )


def drawio() -> str:
    """The drawing as diagrams.net keeps it, uncompressed, to be edited there."""
    numbers = {box.path: f"b{number}" for number, box in enumerate(BOXES)}
    cells = ['<mxCell id="0"/>', '<mxCell id="1" parent="0"/>']
    for box in BOXES:
        style = f"rounded=1;arcSize=8;whiteSpace=wrap;html=1;fillColor={_FILLS[box.kind]};strokeColor=#a99f87;fontColor=#14233f;"
        if box.kind == "outside":
            style += "dashed=1;"
        if box.kind == "room" and box.h > 80:
            style += "verticalAlign=top;align=left;spacingLeft=8;spacingTop=2;"
        label = f"<b>{escape(box.title)}</b>" if box.title else ""
        if box.about:
            label += (
                f'<br><font style="font-size: 11px;" color="#566079">{escape(box.about)}</font>'
            )
        cells.append(
            f'<mxCell id="{numbers[box.path]}" value="{escape(label)}" style="{style}" vertex="1" '
            f'parent="1"><mxGeometry x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" '
            'as="geometry"/></mxCell>'
        )
    for number, arrow in enumerate(ARROWS):
        cells.append(_drawio_arrow(f"a{number}", arrow, numbers))
    body = "\n".join(f"        {cell}" for cell in cells)
    return (
        '<mxfile host="app.diagrams.net">\n  <diagram id="architecture" name="Architecture">\n'
        f'    <mxGraphModel grid="1" gridSize="10" page="1" pageWidth="{WIDTH}" '
        f'pageHeight="{HEIGHT}" math="0" shadow="0">\n      <root>\n{body}\n      </root>\n'
        "    </mxGraphModel>\n  </diagram>\n</mxfile>\n"
    )


def _drawio_arrow(number: str, arrow: Arrow, numbers: dict[str, str]) -> str:
    boxes = _by_path()
    ends = []
    for word, path, side, at in (
        ("exit", arrow.source, arrow.leaves, arrow.at[0]),
        ("entry", arrow.target, arrow.enters, arrow.at[1]),
    ):
        box = boxes[path]
        x, y = _end(box, side, at)
        ends.append(f"{word}X={(x - box.x) / box.w:.3f};{word}Y={(y - box.y) / box.h:.3f};")
    dashes = "dashed=1;" if arrow.way == "implements" else ""
    style = (
        f"edgeStyle=orthogonalEdgeStyle;rounded=0;html=1;strokeColor={_COLOURS[arrow.way]};"
        f"{dashes}{''.join(ends)}"
    )
    return (
        f'<mxCell id="{number}" style="{style}" edge="1" parent="1" '
        f'source="{numbers[arrow.source]}" target="{numbers[arrow.target]}">'
        '<mxGeometry relative="1" as="geometry"/></mxCell>'
    )


FILES = {"architecture.svg": svg, "architecture.drawio": drawio}


def main() -> None:
    """Write both."""
    for name, draw in FILES.items():
        (HERE / name).write_text(draw())
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()
