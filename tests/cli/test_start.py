"""What `barograph serve` may load before it is ready, so that it is ready soon and stays small."""

import subprocess
import sys

import httpx
import pytest
from tests.waiting import PATIENCE_SECONDS

_PROGRAM = """
import sys
from pathlib import Path
import barograph.cli.main, barograph.cli.serve, barograph.cli.top
from barograph import config
from barograph.wiring.program import build

program = build(config.load(data_dir=Path(sys.argv[1]), port=0, mqtt_port=0))
program.close()
print(*sorted(sys.modules))
"""

NOT_BEFORE_READY = {
    "alembic": "stores.catalog.migrate, when the catalog is not of this version",
    "babel": "transport.web.language, with the first page",
    "barograph.client": "the other commands",
    "barograph.stores.readings.sql": "wiring.stores, when readings_url is set",
    "barograph.transport.http.routes": "wiring.routes, once the server is ready",
    "barograph.transport.web.router": "wiring.routes, once the server is ready",
    "barograph.wiring.routes": "wiring.program, once the server is ready",
    "celery": "wiring.jobs, when celery_broker is set",
    "cryptography": "services.access_tokens, with the first access token",
    "fastapi": "wiring.routes, once the server is ready",
    "fpdf": "transport.reports.forms, with the first PDF",
    "httpx": "the client",
    "jinja2": "transport.web, with the first page",
    "jwt": "services.access_tokens, with the first access token",
    "pandas": "the client, where somebody asks for it",
    "prometheus_client": "transport.http.exposition, when scraped",
    "psycopg": "SQLAlchemy, when a database is PostgreSQL",
    "pyarrow": "the client, where somebody asks for it",
    "pymysql": "SQLAlchemy, when a database is MySQL",
    "redis": "wiring.processes, when redis_url is set",
    "rich": "the other commands, and logs on a terminal",
    "sqlalchemy.dialects.mysql": "SQLAlchemy, when a database is MySQL",
    "sqlalchemy.dialects.postgresql": "SQLAlchemy, when a database is PostgreSQL",
    "sqlalchemy.orm": "nobody",
    "starlette.routing": "wiring.routes, once the server is ready",
    "websockets": "transport.mqtt.websocket, with the first such connection",
    "xlsxwriter": "transport.reports.forms, with the first workbook",
}
"""Modules, and who imports them when."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    directory = tmp_path_factory.mktemp("start") / "data"
    # The first start makes the catalog's tables, with Alembic; it is the second that is looked at.
    for _ in range(2):
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(directory)],
            capture_output=True,
            text=True,
            check=True,
        )
    return frozenset(ran.stdout.split())


@pytest.mark.parametrize("module", sorted(NOT_BEFORE_READY))
def test_is_not_imported_by_a_plain_start(loaded, module):
    assert module not in loaded, (
        f"barograph serve imports {module} before it is ready, which makes every start slower and "
        f"every server larger. Import it where it is needed ({NOT_BEFORE_READY[module]}); "
        "`python -X importtime -m barograph serve` shows who imports it now"
    )


def test_the_routes_are_made_once_the_server_is_ready(serve):
    server = serve()
    with httpx.Client(base_url=server.url, timeout=PATIENCE_SECONDS) as client:
        assert client.get("/readyz").json() == {"status": "ok"}
        assert client.get("/openapi.json").json()["info"]["title"] == "Barograph"
        assert client.get("/").status_code == 200
