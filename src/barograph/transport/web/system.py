"""The page of administrators about the installation itself."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from barograph import __version__
from barograph.domain.errors import (
    BarographError,
    Conflict,
    InvalidInput,
    StorageFull,
    Unavailable,
)
from barograph.domain.length import length_text, parse_length
from barograph.domain.time import DAY, MINUTE
from barograph.services.retention import Effect
from barograph.services.system import Notice, System
from barograph.transport.web.chart import Course
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import message_of
from barograph.transport.web.plots import Line, draw_lines
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit, status_of

_METRICS_SHOWN = 100
_SHOWN_MIN = 5 * MINUTE
_LENGTHS = (0, 7 * DAY, 30 * DAY, 90 * DAY, 180 * DAY, 365 * DAY, 730 * DAY, 1825 * DAY)
_AS_CONFIGURED = "configured"
_OWN = "own"
_UNITS = (
    (marked("TB"), 1e12),
    (marked("GB"), 1e9),
    (marked("MB"), 1e6),
    (marked("kB"), 1e3),
)

_WORDS: Mapping[str, str] = {
    "store_not_writable": marked(
        "Readings cannot be stored: %(names)s. Senders are told to try again; until then nothing new is kept."
    ),
    "catalog_away": marked(
        "The catalog does not answer: nobody new can sign in, and nothing can be changed. Look whether its database runs."
    ),
    "degraded": marked("Something is away that the program can do without: %(names)s."),
    "disk_full": marked(
        "The disk is nearly full (%(number)s %% free): soon nothing can be stored. Remove old backups, set a retention, or get a larger disk."
    ),
    "disk_low": marked(
        "The disk is filling up (%(number)s %% free). Think of a retention or of a larger disk."
    ),
    "store_behind": marked(
        "Storing is behind: %(number)s readings wait to be written. The disk is too slow, or too much comes in."
    ),
    "writes_refused": marked(
        "Writes refused in the last ten minutes, because too much was waiting: %(number)s. Senders try again by themselves."
    ),
    "commits_failed": marked(
        "Commits that failed in the last ten minutes: %(number)s. Their readings were sent back. The log says why."
    ),
    "clocks_ahead": marked(
        "The clock of these devices, or of this machine, is wrong: readings come from the future (devices: %(number)s – %(names)s)."
    ),
    "no_backup": marked("There is no backup yet. Make one below, and copy it to another machine."),
    "backup_old": marked("The newest backup is %(number)s days old. Make a new one."),
}


def router(site: Site, visits: Visits, options: Mapping[str, Any], system: System) -> APIRouter:
    """Below `/ui/system`."""
    core = site.core
    pages = APIRouter(prefix="/ui/system", **options)

    def page(
        visit: Visit,
        problem: BarographError | None = None,
        typed: str | None = None,
        asked: tuple[str, int, Effect] | None = None,
    ) -> HTMLResponse:
        """`typed` is the length that was refused with `problem`, to be put right."""
        status = system.status(visit.asker)
        course = Course("")
        for time, rate in status.rates:
            course.add(time, rate, rate, rate)
        start = min([visit.now - _SHOWN_MIN, *(time for time, _ in status.rates[:1])])
        line = Line(visit.text("Readings per second"), "", 1, course)
        return visit.page(
            "system.html",
            200 if problem is None else status_of(problem),
            status=status,
            plot=draw_lines(
                [line], start, max(visit.now, start + 1), visit.language, visit.zone, zero=True
            ),
            stored=status.stored[:_METRICS_SHOWN],
            stored_total=sum(one.readings for one in status.stored),
            warnings=[(notice, _words(visit, notice)) for notice in status.warnings],
            bytes_text=lambda size: _bytes(visit, size),
            rule=core.retention.get(visit.asker),
            asked=asked,
            typed=typed,
            lengths=_LENGTHS,
            kept_text=lambda length: kept_text(visit, length),
            length_text=length_text,
            version=__version__,
            left_out=system.left_out,
            problem="" if problem is None else message_of(visit, problem),
        )

    @pages.get("")
    def show(visit: Annotated[Visit, Depends(visits.known)]) -> HTMLResponse:
        return page(visit)

    @pages.post("/retention")
    def retain(
        visit: Annotated[Visit, Depends(visits.sending)],
        length: Annotated[str, Form(max_length=32)] = "",
        own: Annotated[str, Form(max_length=32)] = "",
        confirmed: Annotated[str, Form(max_length=32)] = "",
    ) -> Response:
        """What would remove readings is asked back first: `confirmed` is the answer."""
        who = visit.asker
        try:
            if length == _AS_CONFIGURED:
                wanted = core.retention.get(who).configured
            else:
                wanted = _length(own if length == _OWN else length)
            effect = core.retention.effect(who, wanted)
            if effect.readings and confirmed != length_text(wanted):
                choice = length if length == _AS_CONFIGURED else length_text(wanted)
                return page(visit, asked=(choice, wanted, effect))
            if length == _AS_CONFIGURED:
                core.retention.reset(who)
            else:
                core.retention.set(who, wanted)
        except (InvalidInput, Unavailable) as error:
            return page(visit, error, own if length == _OWN else None)
        return RedirectResponse("/ui/system#retention", 303)

    @pages.post("/backups")
    def back_up(visit: Annotated[Visit, Depends(visits.sending)]) -> Response:
        try:
            system.make_backup(visit.asker)
        except (Conflict, StorageFull, Unavailable) as error:
            return page(visit, error)
        return RedirectResponse("/ui/system#backups", 303)

    @pages.get("/backups/{name}")
    def download(visit: Annotated[Visit, Depends(visits.known)], name: str) -> StreamingResponse:
        pieces = system.download(visit.asker, name)
        disposition = f'attachment; filename="barograph-{name}.tar"'
        return StreamingResponse(
            pieces,
            media_type="application/x-tar",
            headers={"Content-Disposition": disposition},
        )

    @pages.post("/backups/{name}/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], name: str) -> Response:
        system.delete_backup(visit.asker, name)
        return RedirectResponse("/ui/system#backups", 303)

    return pages


def _length(text: str) -> int:
    try:
        if not text.strip():
            raise ValueError("say how long, such as 365d; 0 keeps all")
        return parse_length(text.strip())
    except ValueError as error:
        raise InvalidInput.of("retention", str(error)) from None


def kept_text(visit: Visit, length: int) -> str:
    """How long that is, in words."""
    if not length:
        return visit.text(marked("for ever"))
    if length % DAY:
        return length_text(length)
    days = length // DAY
    return visit.language.translations.ngettext("%(num)s day", "%(num)s days", days) % {"num": days}


def _words(visit: Visit, notice: Notice) -> str:
    number = visit.language.value(float(f"{notice.number:.3g}"))
    return visit.text(_WORDS[notice.trouble]) % {"number": number, "names": ", ".join(notice.names)}


def _bytes(visit: Visit, size: float) -> str:
    for unit, many in _UNITS:
        if size >= many:
            return f"{visit.language.value(float(f'{size / many:.3g}'))} {visit.text(unit)}"
    return f"{visit.language.value(float(size))} {visit.text(marked('B'))}"
