"""`/api/devices/{device}/shares`: letting other users see a device."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from barograph.domain.sharing import Share
from barograph.domain.time import format_time
from barograph.services.core import Core
from barograph.services.names import EMAIL_CHARS_MAX
from barograph.transport.http.problem_documents import responses
from barograph.transport.http.schemas import ID_MAX, DeviceRef, Time
from barograph.transport.http.users import Asker

ShareAccess = Literal["read", "write"]


class NewShare(BaseModel):
    """With whom to share, and how."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(
        min_length=1, max_length=EMAIL_CHARS_MAX, description="A username or e-mail address."
    )
    access: ShareAccess = Field(
        default="read", description="`read`, or `write`: also readings and how metrics are shown."
    )


class ShareBody(BaseModel):
    """A user with whom something is shared."""

    user_id: int
    username: str
    access: ShareAccess
    created_time: Time


class ShareList(BaseModel):
    """With whom something is shared."""

    items: list[ShareBody]


UserId = Annotated[int, Query(ge=1, le=ID_MAX, description="Whom it is shared with no more.")]


def router(core: Core) -> APIRouter:
    """The routes of one device's shares."""
    routes = APIRouter(prefix="/api/devices", tags=["sharing"])
    sharing = core.sharing

    @routes.get("/{device}/shares", responses=responses(401, 403, 404, 422))
    def list_shares(asker: Asker, device: DeviceRef) -> ShareList:
        """With whom the device is shared; for its owner and administrators."""
        shares = sharing.list(asker, core.devices.get(asker, device))
        return ShareList(items=[share_body(core, share) for share in shares])

    @routes.put("/{device}/shares", responses=responses(400, 401, 403, 404, 409, 413, 422))
    def share_device(body: NewShare, asker: Asker, device: DeviceRef) -> ShareBody:
        """Share the device with a user, or set anew how it is shared."""
        found = core.devices.get(asker, device)
        share = sharing.share(asker, found, body.user, writes=body.access == "write")
        return share_body(core, share)

    @routes.delete("/{device}/shares", status_code=204, responses=responses(401, 403, 404, 422))
    def end_share(asker: Asker, device: DeviceRef, user_id: UserId) -> None:
        """Stop sharing the device with a user; that user may ask for it, too."""
        sharing.end(asker, core.devices.get(asker, device), user_id)

    return routes


def share_body(core: Core, share: Share) -> ShareBody:
    """The share as the API shows it."""
    user = core.registry.user(share.user_id)
    return ShareBody(
        user_id=share.user_id,
        username=user.username if user else "",
        access="write" if share.writes else "read",
        created_time=format_time(share.created_time),
    )
