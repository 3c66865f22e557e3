"""A dashboard as its pages show it."""

from collections.abc import Sequence
from typing import Any

from fastapi.responses import HTMLResponse

from barograph.domain.dashboard import Dashboard
from barograph.services.core import Core
from barograph.transport.web.analytics import statistic_text
from barograph.transport.web.asking import PERIODS
from barograph.transport.web.language import marked
from barograph.transport.web.panel_views import panel_views
from barograph.transport.web.site import Visit

KIND_TEXT = {
    "line": marked("Lines"),
    "bar": marked("Bars"),
    "stat": marked("Figures"),
    "gauge": marked("Gauge"),
    "table": marked("Table"),
    "states": marked("States over time"),
    "text": marked("Text"),
}


def shown(
    core: Core,
    visit: Visit,
    dashboard: Dashboard,
    since: str | None,
    template: str = "dashboard.html",
    only: Sequence[int] | None = None,
    **more: Any,
) -> HTMLResponse:
    """The page of a template with the panels of a dashboard, or `only` some of them."""
    start = since if since in PERIODS and since else None
    rights = core.dashboards.rights(dashboard)
    page = visit.page(
        template,
        dashboard=dashboard,
        views=panel_views(core, visit, rights, dashboard, start, only),
        since=start,
        periods={value: text for value, text in PERIODS.items() if value},
        statistic_text=lambda name: statistic_text(visit, name),
        kinds=KIND_TEXT,
        **more,
    )
    page.headers["X-Robots-Tag"] = "noindex"
    return page
