"""The routers of those older systems that are turned on, in the order in which they must match."""

from collections.abc import Callable, Collection
from functools import partial

from fastapi import APIRouter

from barograph.services.core import Core
from barograph.transport.http.systems import dealer, parameters, statistics, temperature, users


def routers(
    systems: Collection[str], *, parameters_count: int
) -> list[Callable[[Core], APIRouter]]:
    """To be matched after every other route.

    `systems` are values of the setting `apis`; monitoring needs none, for its API is our own.
    """
    chosen: list[Callable[[Core], APIRouter]] = []
    of_temperature, of_statistics = "temperature" in systems, "statistics" in systems
    if of_temperature or of_statistics:
        chosen.append(
            partial(users.router, of_temperature=of_temperature, of_statistics=of_statistics)
        )
    if of_temperature:
        chosen.append(temperature.router)
    if of_statistics:
        chosen.append(statistics.router)
    if "dealer" in systems:
        chosen.append(dealer.router)
    if "parameters" in systems:
        chosen.append(partial(parameters.router, count=parameters_count))
    return chosen
