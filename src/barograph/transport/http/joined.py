"""Routers side by side.

FastAPI's `include_router` keeps one router inside the other: each request is matched twice at every
level, and of each route a second model is made. With hundreds of routes that is more than a small
request takes otherwise, and a good part of what making the routes takes.
"""

from fastapi import APIRouter


def joined(*parts: APIRouter) -> APIRouter:
    """One router of the parts' routes, in their order; each part has its own prefix and tags."""
    routes = APIRouter()
    for part in parts:
        routes.routes.extend(part.routes)
    return routes
