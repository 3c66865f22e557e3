"""The interactive documentation of the API at `/docs`: Swagger UI, shipped in the package.

FastAPI's own page would load it from elsewhere. Its files are read when they are asked for, not at
start: they are large, and few visitors open the page.
"""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from barograph.domain.errors import NotFound
from barograph.transport.web.site import Site, preferences

_TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "theme.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "head.css": "text/css; charset=utf-8",
}

_PAGE = """\
<!doctype html>
<html lang="en" data-theme="{theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Barograph API</title>
<link rel="icon" href="/ui/static/0/favicon.svg" type="image/svg+xml">
<meta name="color-scheme" content="light dark">
<link rel="stylesheet" href="/ui/docs/swagger-ui.css">
<link rel="stylesheet" href="/ui/docs/head.css">
<script src="/ui/docs/theme.js"></script>
<script src="/ui/docs/swagger-ui-bundle.js" defer></script>
<script src="/ui/docs/start.js" defer></script>
</head>
<body>
<header class="docs-head"><a href="/"><img src="/ui/static/0/favicon.svg" width="26" height="26" alt=""> Barograph</a><nav aria-label="Documentation"><a href="/docs" aria-current="page">HTTP API</a><a href="/docs/mqtt">MQTT</a></nav></header>
<main id="swagger-ui"></main>
<noscript>This page needs JavaScript. The schema is at <a href="/openapi.json">/openapi.json</a>.</noscript>
</body>
</html>
"""


def router(site: Site, options: dict[str, Any]) -> APIRouter:
    """`/docs` and the files that it loads."""
    pages = APIRouter(**options)

    @pages.get("/docs")
    async def page(request: Request) -> Response:
        _, theme, _ = preferences(site, request)
        return HTMLResponse(_PAGE.replace("{theme}", theme))

    @pages.get("/ui/docs/{name}")
    def file(name: str) -> Response:
        if name not in _TYPES:
            raise NotFound("there is no such file")
        content = (files("barograph.transport.web") / "swagger" / name).read_bytes()
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(content, media_type=_TYPES[name], headers=headers)

    return pages
