"""The interactive documentation of the API at `/docs`: Swagger UI, shipped in the package.

FastAPI's own page would load it from elsewhere. Its files are read when they are asked for, not at
start: they are large, and few visitors open the page.
"""

from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from barograph.domain.errors import NotFound

_TYPES = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
}

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Barograph API</title>
<link rel="icon" href="/ui/static/0/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/ui/docs/swagger-ui.css">
<script src="/ui/docs/swagger-ui-bundle.js" defer></script>
<script src="/ui/docs/start.js" defer></script>
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript. The schema is at <a href="/openapi.json">/openapi.json</a>.</noscript>
</body>
</html>
"""


def router(options: dict[str, Any]) -> APIRouter:
    """`/docs` and the files that it loads."""
    pages = APIRouter(**options)

    @pages.get("/docs")
    async def page() -> Response:
        return HTMLResponse(_PAGE)

    @pages.get("/ui/docs/{name}")
    def file(name: str) -> Response:
        if name not in _TYPES:
            raise NotFound("there is no such file")
        content = (files("barograph.transport.web") / "swagger" / name).read_bytes()
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(content, media_type=_TYPES[name], headers=headers)

    return pages
