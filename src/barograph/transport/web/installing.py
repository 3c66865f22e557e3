"""What an installed dashboard shows without its server: a service worker, and one page.

The service worker keeps nothing but the page that says that there is no connection: figures that
are not up to date would be worse than none.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from barograph.transport.web.session import Visits
from barograph.transport.web.site import Site, Visit


def router(site: Site, visits: Visits, options: Mapping[str, Any]) -> APIRouter:
    """`/sw.js` and `/ui/offline`, which need no credential."""
    pages = APIRouter(**options)
    script = (files("barograph.transport.web") / "service_worker.js").read_text()
    names = ("barograph.css", "offline.js", "favicon.svg")
    kept = ["/ui/offline", *map(site.statics.url, names)]
    head = (
        f"const VERSION = {json.dumps(site.statics.version)};\nconst FILES = {json.dumps(kept)};\n"
    )

    @pages.get("/sw.js")
    def service_worker() -> Response:
        return Response(
            head + script,
            media_type="text/javascript; charset=utf-8",
            headers={"Cache-Control": "no-cache"},
        )

    @pages.get("/ui/offline")
    def offline(visit: Annotated[Visit, Depends(visits.anyone)]) -> HTMLResponse:
        return visit.page("offline.html")

    return pages
