"""The page of administrators about the installation itself."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from barograph import __version__
from barograph.domain.errors import BarographError, Conflict, StorageFull, Unavailable
from barograph.domain.user import Principal
from barograph.services.system import Notice, System
from barograph.transport.web.chart import Course
from barograph.transport.web.language import marked
from barograph.transport.web.mistakes import message_of
from barograph.transport.web.plots import Line, draw_lines
from barograph.transport.web.session import Visits
from barograph.transport.web.site import Visit, status_of

_METRICS_SHOWN = 100
_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))

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
        "In the last ten minutes %(number)s writes were refused because too much was waiting. Senders try again by themselves."
    ),
    "commits_failed": marked(
        "In the last ten minutes %(number)s commits failed; their readings were sent back. The log says why."
    ),
    "clocks_ahead": marked(
        "The clock of these devices, or of this machine, is wrong: readings come from the future (%(number)s devices: %(names)s)."
    ),
    "no_backup": marked("There is no backup yet. Make one below, and copy it to another machine."),
    "backup_old": marked("The newest backup is %(number)s days old. Make a new one."),
}


def router(visits: Visits, options: Mapping[str, Any], system: System, retention: str) -> APIRouter:
    """Below `/ui/system`. `retention` is how long readings are kept, empty for ever."""
    pages = APIRouter(prefix="/ui/system", **options)

    def page(visit: Visit, problem: BarographError | None = None) -> HTMLResponse:
        status = system.status(_who(visit))
        course = Course("")
        for time, rate in status.rates:
            course.add(time, rate, rate, rate)
        start = status.rates[0][0] if status.rates else visit.now
        line = Line(visit.text("Readings per second"), "", 1, course)
        return visit.page(
            "system.html",
            200 if problem is None else status_of(problem),
            status=status,
            plot=draw_lines([line], start, max(visit.now, start + 1), visit.language, visit.zone),
            stored=status.stored[:_METRICS_SHOWN],
            stored_total=sum(one.readings for one in status.stored),
            warnings=[(notice, _words(visit, notice)) for notice in status.warnings],
            bytes_text=lambda size: _bytes(visit, size),
            retention=retention,
            version=__version__,
            problem="" if problem is None else message_of(visit, problem),
        )

    @pages.get("")
    def show(visit: Annotated[Visit, Depends(visits.known)]) -> HTMLResponse:
        return page(visit)

    @pages.post("/backups")
    def back_up(visit: Annotated[Visit, Depends(visits.sending)]) -> Response:
        try:
            system.make_backup(_who(visit))
        except (Conflict, StorageFull, Unavailable) as error:
            return page(visit, error)
        return RedirectResponse("/ui/system#backups", 303)

    @pages.get("/backups/{name}")
    def download(visit: Annotated[Visit, Depends(visits.known)], name: str) -> StreamingResponse:
        pieces = system.download(_who(visit), name)
        disposition = f'attachment; filename="barograph-{name}.tar"'
        return StreamingResponse(
            pieces,
            media_type="application/x-tar",
            headers={"Content-Disposition": disposition},
        )

    @pages.post("/backups/{name}/delete")
    def delete(visit: Annotated[Visit, Depends(visits.sending)], name: str) -> Response:
        system.delete_backup(_who(visit), name)
        return RedirectResponse("/ui/system#backups", 303)

    return pages


def _who(visit: Visit) -> Principal:
    assert visit.principal is not None
    return visit.principal


def _words(visit: Visit, notice: Notice) -> str:
    number = visit.language.value(float(f"{notice.number:.3g}"))
    return visit.text(_WORDS[notice.trouble]) % {"number": number, "names": ", ".join(notice.names)}


def _bytes(visit: Visit, size: float) -> str:
    for unit, many in _UNITS:
        if size >= many:
            return f"{visit.language.value(float(f'{size / many:.3g}'))} {unit}"
    return f"{visit.language.value(float(size))} B"
