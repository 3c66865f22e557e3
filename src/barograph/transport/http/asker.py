"""Who is asking, as a dependency of FastAPI's routes."""

from fastapi import Request

from barograph.domain.user import Principal
from barograph.transport.http.access import Access


async def principal(request: Request) -> Principal:
    """Who asks; see `Access.principal`."""
    access: Access = request.app.state.access
    return access.principal(request.scope)
