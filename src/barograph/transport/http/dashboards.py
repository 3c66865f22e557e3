"""`/api/dashboards` and `/api/questions`: pages that users compose, and questions that they keep."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.dashboard import Dashboard, DashboardLink, SavedQuestion
from barograph.domain.time import SECOND, format_time
from barograph.services.core import Core
from barograph.transport.http.joined import joined
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import ID_MAX, Name, PathId, Time, time_text
from barograph.transport.http.sharing import NewShare, ShareBody, ShareList, share_body
from barograph.transport.http.users import EXPIRES_SECONDS_MAX, Asker

Panels = Annotated[
    list[dict[str, Any]],
    Field(max_length=60, description="Each an object: see “Panels” in docs/dashboard.md."),
]


class NewDashboard(BaseModel):
    """A dashboard to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    panels: Panels = []


class DashboardChange(BaseModel):
    """A dashboard as it shall be."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    panels: Panels
    revision: int | None = Field(
        default=None, ge=1, le=2**31 - 2, description="The one that was read; 409 if it is older."
    )


class DashboardItem(BaseModel):
    """A dashboard in a list."""

    id: int
    name: str
    user_id: int | None
    revision: int
    created_time: Time
    changed_time: Time


class DashboardBody(DashboardItem):
    """A dashboard."""

    panels: list[dict[str, Any]]


class DashboardList(BaseModel):
    """The dashboards that one may see."""

    items: list[DashboardItem]


class NewLink(BaseModel):
    """A link to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    expires_in: Annotated[
        int | None,
        Field(ge=60, le=EXPIRES_SECONDS_MAX, description="Seconds; without it until revoked."),
    ] = None


class LinkBody(BaseModel):
    """A link, without its secret."""

    id: int
    name: str
    created_time: Time
    expires_time: Time | None


class CreatedLink(LinkBody):
    """A new link, with the path that is shown this once."""

    path: str


class LinkList(BaseModel):
    """The links to a dashboard."""

    items: list[LinkBody]


class NewQuestion(BaseModel):
    """A question to keep."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    question: dict[str, Any] = Field(
        description="The parameters of analytics, and `devices` or `user`."
    )


class QuestionBody(BaseModel):
    """A kept question."""

    id: int
    name: str
    question: dict[str, Any]
    created_time: Time


class QuestionList(BaseModel):
    """One's own questions."""

    items: list[QuestionBody]


def router(core: Core) -> APIRouter:
    """The routes below `/api/dashboards` and `/api/questions`."""
    return joined(*(part(core) for part in (_dashboards, _shares, _links, _questions)))


def _dashboards(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/dashboards", tags=["dashboards"])
    dashboards = core.dashboards

    @routes.get("", responses=responses(401, 403))
    def list_dashboards(asker: Asker) -> DashboardList:
        """One's own dashboards and those that are shared with one; an administrator sees all."""
        return DashboardList(items=[_item(one) for one in dashboards.list(asker)])

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 404, 409, 413, 422))
    def create_dashboard(body: NewDashboard, asker: Asker) -> DashboardBody:
        """Make a dashboard."""
        return _body(dashboards.create(asker, body.name, body.panels))

    @routes.get("/{dashboard_id:int}", responses=responses(401, 403, 404, 422))
    def read_dashboard(asker: Asker, dashboard_id: PathId) -> DashboardBody:
        """One dashboard with its panels."""
        return _body(dashboards.get(asker, dashboard_id))

    @routes.put("/{dashboard_id:int}", responses=responses(400, 401, 403, 404, 409, 413, 422))
    def change_dashboard(
        body: DashboardChange, asker: Asker, dashboard_id: PathId
    ) -> DashboardBody:
        """Set the name and the panels."""
        return _body(
            dashboards.update(
                asker, dashboard_id, name=body.name, panels=body.panels, revision=body.revision
            )
        )

    @routes.delete("/{dashboard_id:int}", status_code=204, responses=responses(401, 403, 404, 422))
    def delete_dashboard(asker: Asker, dashboard_id: PathId) -> None:
        """Remove a dashboard, its shares and its links."""
        dashboards.delete(asker, dashboard_id)

    @routes.get("/{dashboard_id:int}/export", responses=responses(401, 403, 404, 422))
    def export_dashboard(asker: Asker, dashboard_id: PathId) -> dict[str, Any]:
        """The dashboard for another installation, its devices named by their keys."""
        return dashboards.export(asker, dashboard_id)

    @routes.post("/import", status_code=201, responses=responses(400, 401, 403, 404, 409, 413, 422))
    def import_dashboard(body: dict[str, Any], asker: Asker) -> DashboardBody:
        """A new dashboard from what the export gave."""
        return _body(dashboards.restore(asker, body))

    return routes


def _shares(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/dashboards/{dashboard_id:int}/shares", tags=["sharing"])
    dashboards = core.dashboards

    @routes.get("", responses=responses(401, 403, 404, 422))
    def list_dashboard_shares(asker: Asker, dashboard_id: PathId) -> ShareList:
        """With whom the dashboard is shared; for its owner and administrators."""
        shares = dashboards.shares(asker, dashboard_id)
        return ShareList(items=[share_body(core, share) for share in shares])

    @routes.put("", responses=responses(400, 401, 403, 404, 409, 413, 422))
    def share_dashboard(body: NewShare, asker: Asker, dashboard_id: PathId) -> ShareBody:
        """Let a user see the dashboard (with what is on it), or also change it."""
        share = dashboards.share(asker, dashboard_id, body.user, writes=body.access == "write")
        return share_body(core, share)

    @routes.delete("", status_code=204, responses=responses(401, 403, 404, 422))
    def end_dashboard_share(
        asker: Asker, dashboard_id: PathId, user_id: Annotated[int, Query(ge=1, le=ID_MAX)]
    ) -> None:
        """Stop sharing the dashboard with a user; that user may ask for it, too."""
        dashboards.unshare(asker, dashboard_id, user_id)

    return routes


def _links(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/dashboards/{dashboard_id:int}/links", tags=["sharing"])
    dashboards = core.dashboards

    @routes.get("", responses=responses(401, 403, 404, 422))
    def list_links(asker: Asker, dashboard_id: PathId) -> LinkList:
        """The links with which anybody reads the dashboard."""
        return LinkList(items=[_link(link) for link in dashboards.links(asker, dashboard_id)])

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 404, 409, 413, 422))
    def create_link(body: NewLink, asker: Asker, dashboard_id: PathId) -> CreatedLink:
        """A new link; its secret path is shown this once."""
        expires = None if body.expires_in is None else core.clock() + body.expires_in * SECOND
        link, secret = dashboards.add_link(asker, dashboard_id, body.name, expires_time=expires)
        return CreatedLink(**_link(link).model_dump(), path=f"/ui/shared/{secret}")

    @routes.delete("/{link_id:int}", status_code=204, responses=responses(401, 403, 404, 422))
    def revoke_link(asker: Asker, dashboard_id: PathId, link_id: PathId) -> None:
        """Have the link lead nowhere from now on."""
        dashboards.remove_link(asker, dashboard_id, link_id)

    return routes


def _questions(core: Core) -> APIRouter:
    routes = APIRouter(prefix="/api/questions", tags=["analytics"])
    dashboards = core.dashboards

    @routes.get("", responses=responses(401, 403))
    def list_questions(asker: Asker) -> QuestionList:
        """The questions that one has kept."""
        return QuestionList(items=[_question(saved) for saved in dashboards.questions(asker)])

    @routes.post("", status_code=201, responses=responses(400, 401, 403, 409, 413, 422))
    def save_question(body: NewQuestion, asker: Asker) -> QuestionBody:
        """Keep a question, to be asked again."""
        return _question(dashboards.save_question(asker, body.name, body.question))

    @routes.delete("/{question_id:int}", status_code=204, responses=responses(401, 403, 404, 422))
    def delete_question(asker: Asker, question_id: PathId) -> None:
        """Forget a question."""
        dashboards.delete_question(asker, question_id)

    return routes


def _item(dashboard: Dashboard) -> DashboardItem:
    return DashboardItem(
        id=dashboard.id,
        name=dashboard.name,
        user_id=dashboard.user_id,
        revision=dashboard.revision,
        created_time=format_time(dashboard.created_time),
        changed_time=format_time(dashboard.changed_time),
    )


def _body(dashboard: Dashboard) -> DashboardBody:
    panels = [dict(panel) for panel in dashboard.panels]
    return DashboardBody(**_item(dashboard).model_dump(), panels=panels)


def _link(link: DashboardLink) -> LinkBody:
    return LinkBody(
        id=link.id,
        name=link.name,
        created_time=format_time(link.created_time),
        expires_time=time_text(link.expires_time),
    )


def _question(saved: SavedQuestion) -> QuestionBody:
    return QuestionBody(
        id=saved.id,
        name=saved.name,
        question=dict(saved.question),
        created_time=format_time(saved.created_time),
    )
