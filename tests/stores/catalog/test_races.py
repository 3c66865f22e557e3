"""Threads that want what excludes each other, on every database."""

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from barograph.domain.errors import Conflict, InvalidInput, NotFound
from barograph.domain.user import Token


def outcome(call, *arguments):
    """What a call returned, or which of the errors that the port names it raised."""
    try:
        return call(*arguments) or "done"
    except (Conflict, InvalidInput, NotFound) as error:
        return type(error)


def test_of_those_who_want_one_name_one_gets_it(catalog):
    for number in range(5):
        names = [f"Ann{number}", f"ANN{number}"] * 4
        with ThreadPoolExecutor(8) as threads:
            outcomes = list(
                threads.map(
                    outcome,
                    repeat(catalog.users.create),
                    names,
                    *map(repeat, (None, None, "member", 1)),
                )
            )
        assert outcomes.count(Conflict) == 7


def test_no_device_is_left_to_an_owner_who_is_removed(catalog):
    for number in range(8):
        user = catalog.users.create(f"ann{number}", None, None, "member", 1)

        def fit(name, user=user):
            return catalog.devices.create(name, "x", user.id, None, {}, 1)

        with ThreadPoolExecutor(4) as threads:
            fitting = [threads.submit(outcome, fit, f"{number}-{n}") for n in range(3)]
            removing = threads.submit(outcome, catalog.users.delete, user.id)
        owned = catalog.devices.list(user_id=user.id, limit=9).total
        made = sum(each.result() is not InvalidInput for each in fitting)
        assert owned == made
        assert removing.result() == (Conflict if owned else "done")
        assert (catalog.users.get(user.id) is not None) == bool(owned)


def test_whatever_races_only_the_named_errors_come_out_and_no_orphans_stay(catalog, digest):
    devices = [catalog.devices.create(f"d{n}", "x", None, None, {}, 1).id for n in range(6)]
    assets = [catalog.assets.create("room", f"r{n}", {}, 1).id for n in range(3)]
    digests = [digest() for _ in range(120)]

    def step(number):
        chance = random.Random(number)
        device, asset = chance.choice(devices), chance.choice(assets)
        call = chance.choice(
            [
                lambda: catalog.tokens.rotate_device(device, digests[number], 1),
                lambda: catalog.tokens.create(Token(0, digests[number], device_id=device)),
                lambda: catalog.series.ensure(device, chance.sample(["a", "b", "c", "d"], 3)),
                lambda: catalog.devices.update(device, {"asset_id": asset}),
                lambda: catalog.devices.delete(device) if number > 90 else None,
                lambda: catalog.assets.delete(asset) if number > 90 else None,
            ]
        )
        return outcome(call)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(step, range(120)))
    left = {device.id for device in catalog.devices.all()}
    assert {one.device_id for one in catalog.series.all()} <= left
    assert {token.device_id for token in catalog.tokens.all()} <= left
    rooms = {asset.id for asset in catalog.assets.list(limit=9).items}
    assert {device.asset_id for device in catalog.devices.all()} <= {*rooms, None}
