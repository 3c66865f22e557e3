"""Dashboards: making, changing, sharing and opening them; and questions that are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from barograph.domain.dashboard import Dashboard, DashboardLink, SavedQuestion
from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, InvalidInput, NotFound
from barograph.domain.sharing import Share
from barograph.domain.time import MINUTE
from barograph.domain.user import OPERATOR, Principal, require_device, require_member
from barograph.ports.catalog import Catalog
from barograph.ports.clock import Clock
from barograph.services.analytics import Analytics
from barograph.services.audit import Audit
from barograph.services.names import check_name
from barograph.services.panels import read_panels
from barograph.services.registry import Registry
from barograph.services.sharing import SHARES_MAX, find_user
from barograph.services.tokens import digest_of, is_token, new_token

DASHBOARDS_MAX = 100
LINKS_MAX = 20
QUESTIONS_MAX = 200
FORMAT = "barograph-dashboard"
VERSION = 1

_NO_DEVICE = "a device of this panel is not there, or not yours to show: {ref!r}"


class DashboardService:
    """Each call checks the right to do so."""

    def __init__(
        self, catalog: Catalog, registry: Registry, analytics: Analytics, clock: Clock
    ) -> None:
        self._catalog = catalog
        self._registry = registry
        self._analytics = analytics
        self._clock = clock
        self._audit = Audit(catalog, registry, clock)

    # Dashboards

    def create(self, principal: Principal, name: str, panels: object = ()) -> Dashboard:
        """A new dashboard of who asks.

        Raises `Conflict` beyond `DASHBOARDS_MAX`, `InvalidInput`, `NotFound` for a device that is
        not there for who asks, `Forbidden` for viewers.
        """
        require_member(principal)
        check_name("name", name)
        found = self._read(principal, panels, ())
        dashboard = Dashboard(0, name, found, principal.user_id, created_time=self._clock())
        with self._audit.along_with(principal, "dashboard.create"):
            return self._catalog.dashboards.create(dashboard, DASHBOARDS_MAX)

    def list(self, principal: Principal) -> Sequence[Dashboard]:
        """One's own and those that are shared with one, by name; all for administrators."""
        _require_person(principal)
        return self._catalog.dashboards.visible_to(
            None if principal.is_admin else principal.user_id
        )

    def get(self, principal: Principal, dashboard_id: int) -> Dashboard:
        """The dashboard; raises `NotFound` for another's that is not shared."""
        return self._get(principal, dashboard_id)[0]

    def may_change(self, principal: Principal, dashboard: Dashboard) -> bool:
        """Whether `principal` may change the dashboard, which it may see."""
        return not principal.reads_only and self._get(principal, dashboard.id)[1]

    def owns(self, principal: Principal, dashboard: Dashboard) -> bool:
        """Whether sharing and deleting the dashboard is `principal`'s to do."""
        return not principal.reads_only and _owns(principal, dashboard)

    def _get(self, principal: Principal, dashboard_id: int) -> tuple[Dashboard, bool]:
        _require_person(principal)
        dashboard = self._catalog.dashboards.get(dashboard_id)
        if dashboard is not None:
            if _owns(principal, dashboard):
                return dashboard, True
            for share in self._catalog.dashboard_shares.of_subject(dashboard_id):
                if share.user_id == principal.user_id:
                    return dashboard, share.writes
        raise NotFound("there is no such dashboard")

    def _require(self, principal: Principal, dashboard_id: int, *, own: bool = False) -> Dashboard:
        dashboard, writes = self._get(principal, dashboard_id)
        require_member(principal)
        if not writes:
            raise Forbidden("this dashboard is shared with you to read, not to change")
        if own and not _owns(principal, dashboard):
            raise Forbidden("this dashboard is shared with you: that is its owner's to do")
        return dashboard

    def update(
        self,
        principal: Principal,
        dashboard_id: int,
        *,
        name: str | None = None,
        panels: object = None,
        revision: int | None = None,
    ) -> Dashboard:
        """Change name or panels; `revision` is the one that the change began with.

        Raises `Conflict` where somebody else was faster, and what `create` raises.
        """
        before = self._require(principal, dashboard_id)
        if name is not None:
            check_name("name", name)
        after = before.panels if panels is None else self._read(principal, panels, before.panels)
        with self._audit.along_with(principal, "dashboard.update"):
            return self._catalog.dashboards.update(
                dashboard_id,
                name or before.name,
                after,
                before.revision if revision is None else revision,
                self._clock(),
            )

    def delete(self, principal: Principal, dashboard_id: int) -> None:
        """Remove the dashboard, its shares and its links."""
        dashboard = self._require(principal, dashboard_id, own=True)
        with self._audit.along(principal, "dashboard.delete", dashboard.name, dashboard_id):
            self._catalog.dashboards.delete(dashboard_id)

    def rights(self, dashboard: Dashboard) -> Principal:
        """With whose rights the panels are read: the owner's, as they are now."""
        if dashboard.user_id is None:
            return OPERATOR
        user = self._registry.user(dashboard.user_id)
        role = user.role if user is not None else "viewer"
        return Principal("user", dashboard.user_id, role=role, token_reads_only=True)

    def _read(
        self, principal: Principal, panels: object, before: Sequence[Mapping[str, Any]]
    ) -> Sequence[dict[str, Any]]:
        # Who may change a shared dashboard leaves on it what the owner put there, but puts nothing
        # there that is not theirs to see: it would be read with the owner's rights.
        kept = [panel["question"] for panel in before if "question" in panel]

        def find_any(ref: int | str) -> Device:
            device = self._registry.device(ref)
            if device is None:
                raise NotFound(_NO_DEVICE.format(ref=ref))
            return device

        found = read_panels(panels, find_any, self._check_question)
        for panel in found:
            question = panel.get("question")
            if question is None or question in kept:
                continue
            for device_id in question["devices"]:
                try:
                    require_device(principal, self._registry.device(device_id))
                except NotFound:
                    raise NotFound(_NO_DEVICE.format(ref=device_id)) from None
        return found

    def _check_question(self, given: Mapping[str, object]) -> object:
        return self._analytics.question(given)

    # From and to files

    def export(self, principal: Principal, dashboard_id: int) -> dict[str, Any]:
        """The dashboard as a JSON object for another installation: devices by their keys."""
        dashboard = self.get(principal, dashboard_id)
        panels = [self._with_keys(panel) for panel in dashboard.panels]
        return {"format": FORMAT, "version": VERSION, "name": dashboard.name, "panels": panels}

    def _with_keys(self, panel: Mapping[str, Any]) -> dict[str, Any]:
        if "question" not in panel:
            return dict(panel)
        devices = map(self._registry.device, panel["question"]["devices"])
        keys = [device.key for device in devices if device is not None]
        return {**panel, "question": {**panel["question"], "devices": keys}}

    def restore(self, principal: Principal, given: object) -> Dashboard:
        """A new dashboard from what `export` made; raises what `create` raises."""
        if not isinstance(given, Mapping) or given.get("format") != FORMAT:
            raise InvalidInput.of("format", f"this is no dashboard: format must be {FORMAT!r}")
        if given.get("version") != VERSION:
            raise InvalidInput.of("version", f"this program reads version {VERSION}")
        name = given.get("name")
        if not isinstance(name, str):
            raise InvalidInput.of("name", "this must be text")
        return self.create(principal, name, given.get("panels", ()))

    # Sharing

    def shares(self, principal: Principal, dashboard_id: int) -> Sequence[Share]:
        """With whom the dashboard is shared; for its owner."""
        self._require(principal, dashboard_id, own=True)
        return self._catalog.dashboard_shares.of_subject(dashboard_id)

    def share(self, principal: Principal, dashboard_id: int, user: str, *, writes: bool) -> Share:
        """Let the user of this name or address see the dashboard, or also change it."""
        dashboard = self._require(principal, dashboard_id, own=True)
        found = find_user(self._catalog, user)
        if found.id == dashboard.user_id:
            raise InvalidInput.of("user", f"this dashboard belongs to {found.username} already")
        share = Share(dashboard_id, found.id, writes, self._clock())
        detail = {"user": found.username, "access": "write" if writes else "read"}
        with self._audit.along(principal, "dashboard.share", dashboard.name, dashboard_id, detail):
            self._catalog.dashboard_shares.put(share, SHARES_MAX)
        return share

    def unshare(self, principal: Principal, dashboard_id: int, user_id: int) -> None:
        """Stop sharing; the user may ask for it, too."""
        if principal.user_id == user_id and not principal.token_reads_only:
            dashboard = self.get(principal, dashboard_id)
        else:
            dashboard = self._require(principal, dashboard_id, own=True)
        user = self._registry.user(user_id)
        detail = {"user": user.username if user else user_id}
        action = "dashboard.unshare"
        with self._audit.along(principal, action, dashboard.name, dashboard_id, detail):
            self._catalog.dashboard_shares.remove(dashboard_id, user_id)

    def links(self, principal: Principal, dashboard_id: int) -> Sequence[DashboardLink]:
        """The links to the dashboard, for its owner."""
        self._require(principal, dashboard_id, own=True)
        return self._catalog.dashboards.links(dashboard_id)

    def add_link(
        self,
        principal: Principal,
        dashboard_id: int,
        name: str,
        *,
        expires_time: int | None = None,
    ) -> tuple[DashboardLink, str]:
        """A new link and its secret, which nobody can ask for again."""
        dashboard = self._require(principal, dashboard_id, own=True)
        check_name("name", name)
        now = self._clock()
        if expires_time is not None and expires_time < now + MINUTE:
            raise InvalidInput.of("expires_time", "a link lives for at least a minute")
        secret = new_token()
        link = DashboardLink(0, dashboard_id, digest_of(secret), name, now, expires_time)
        detail = {"link": name}
        with self._audit.along(principal, "dashboard.link", dashboard.name, dashboard_id, detail):
            return self._catalog.dashboards.add_link(link, LINKS_MAX), secret

    def remove_link(self, principal: Principal, dashboard_id: int, link_id: int) -> None:
        """Have the link lead nowhere from now on."""
        dashboard = self._require(principal, dashboard_id, own=True)
        with self._audit.along(principal, "dashboard.unlink", dashboard.name, dashboard_id):
            self._catalog.dashboards.remove_link(dashboard_id, link_id)

    def by_link(self, secret: str) -> Dashboard:
        """The dashboard that the link leads to; raises `NotFound`."""
        link = self._catalog.dashboards.find_link(digest_of(secret)) if is_token(secret) else None
        if link is not None and (link.expires_time is None or self._clock() < link.expires_time):
            dashboard = self._catalog.dashboards.get(link.dashboard_id)
            if dashboard is not None:
                return dashboard
        raise NotFound("this link leads nowhere: it was revoked, or has expired")

    # Saved questions

    def questions(self, principal: Principal) -> Sequence[SavedQuestion]:
        """The questions that one has saved, in order of id."""
        _require_person(principal)
        return self._catalog.questions.of_user(principal.user_id)

    def save_question(
        self, principal: Principal, name: str, question: Mapping[str, Any]
    ) -> SavedQuestion:
        """Keep the question under a name; it is asked anew whenever it is opened."""
        require_member(principal)
        check_name("name", name)
        self._analytics.question(question)
        saved = SavedQuestion(0, name, question, principal.user_id, self._clock())
        with self._audit.along_with(principal, "question.create"):
            return self._catalog.questions.create(saved, QUESTIONS_MAX)

    def question(self, principal: Principal, question_id: int) -> SavedQuestion:
        """The saved question; raises `NotFound` for another's."""
        _require_person(principal)
        saved = self._catalog.questions.get(question_id)
        if saved is None or saved.user_id != principal.user_id:
            raise NotFound("there is no such question")
        return saved

    def delete_question(self, principal: Principal, question_id: int) -> None:
        """Forget the question."""
        saved = self.question(principal, question_id)
        require_member(principal)
        with self._audit.along(principal, "question.delete", saved.name, question_id):
            self._catalog.questions.delete(question_id)


def _owns(principal: Principal, dashboard: Dashboard) -> bool:
    mine = principal.user_id is not None and principal.user_id == dashboard.user_id
    return principal.is_admin or mine


def _require_person(principal: Principal) -> None:
    if principal.kind == "device":
        raise Forbidden("a device's token reads and writes its own device only")
