"""Lists that pages show some at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from barograph.ports.page import Page
from barograph.services.core import Core

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    total: int
    """Items of all pages."""
    page: int
    """Which page it is, from 1."""
    pages: int


def part_of(core: Core, ask: Callable[[int, int], Page[T]], page: int, size: int) -> Part[T]:
    """The page of what `ask` answers to a limit and an offset.

    The last page where there are not so many, or not any more: an empty one would say that there
    is nothing at all.
    """
    size = min(size, core.limits.page_items_max)
    found = ask(size, (page - 1) * size)
    pages = -(-found.total // size)
    if page > 1 and not found.items:
        page = max(1, pages)
        found = ask(size, (page - 1) * size)
    return Part(found.items, found.total, page, pages)
