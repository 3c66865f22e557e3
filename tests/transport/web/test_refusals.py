"""What the services say when they refuse something, on the pages."""

import re

import pytest

from barograph.domain.errors import BarographError
from barograph.domain.user import OPERATOR, Principal
from barograph.transport.web.language import load_languages
from barograph.transport.web.refusals import refusal

LANGUAGES = load_languages()
PASSWORD = "correct horse battery"


def _ada(core):
    """Who is there already, the only administrator, with a device."""
    ada, _ = core.accounts.register("ada", "ada@example.org", PASSWORD, OPERATOR, role="admin")
    core.devices.create(OPERATOR, "Kitchen", key="kitchen", user_id=ada.id)
    return ada


def _sign_in_often(core):
    while True:
        try:
            core.accounts.check_password("ada", "wrong", "192.0.2.1")
        except BarographError as error:
            if "too many" in str(error):
                raise


def _share(core, name):
    (device,) = core.registry.devices_for(OPERATOR)
    core.sharing.share(OPERATOR, device, name, writes=False)


def _add_twice(core):
    for _ in range(2):
        core.assets.create(OPERATOR, "комната", "Кухня", {})


REFUSED = {
    "a wrong password": lambda core, ada: core.accounts.check_password("ada", "x", "192.0.2.1"),
    "too many tries": lambda core, ada: _sign_in_often(core),
    "a used link": lambda core, ada: core.accounts.claim_setup("x", "eve", PASSWORD),
    "a member's list of users": lambda core, ada: core.accounts.list(
        Principal("user", user_id=ada.id, role="member")
    ),
    "no administrator left": lambda core, ada: core.accounts.update(
        OPERATOR, ada.id, role="member"
    ),
    "a taken name": lambda core, ada: core.accounts.register("ada", None, PASSWORD, OPERATOR),
    "a taken address": lambda core, ada: core.accounts.register(
        "eve", "ada@example.org", PASSWORD, OPERATOR
    ),
    "a blank name": lambda core, ada: core.accounts.register("", None, PASSWORD, OPERATOR),
    "no address": lambda core, ada: core.accounts.register("eve", "eve", PASSWORD, OPERATOR),
    "a short password": lambda core, ada: core.accounts.register("eve", None, "x", OPERATOR),
    "a usual password": lambda core, ada: core.accounts.register(
        "eve", None, "password1", OPERATOR
    ),
    "the name as password": lambda core, ada: core.accounts.register(
        "evangeline", None, "Evangeline", OPERATOR
    ),
    "sharing with nobody": lambda core, ada: _share(core, "nobody"),
    "sharing with the owner": lambda core, ada: _share(core, "ada"),
    "a used key": lambda core, ada: core.devices.create(OPERATOR, "Another", key="kitchen"),
    "an asset twice": lambda core, ada: _add_twice(core),
    "no such token": lambda core, ada: core.accounts.tokens.revoke(OPERATOR, ada.id, 99),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_services_refuse_is_said_in_the_reader_s_language(core, refused):
    ada = _ada(core)
    with pytest.raises(BarographError) as raised:
        refused(core, ada)
    said = refusal(LANGUAGES["ru"], str(raised.value))
    known = r"Barograph|name@example\.org|nobody|eve|ada|kitchen"
    assert not re.search("[a-z]", re.sub(known, "", said)), said
    assert said.endswith(".")
    in_english = refusal(LANGUAGES["en"], str(raised.value))
    assert in_english[0].isupper() or in_english[0] == "'"


def test_a_field_is_called_as_its_form_calls_it():
    english, russian = LANGUAGES["en"], LANGUAGES["ru"]
    assert refusal(english, "username: use 1 to 64 characters") == (
        "User name: use 1 to 64 characters."
    )
    assert refusal(russian, "username: use 1 to 64 characters") == (
        "Имя пользователя: от 1 до 64 символов."
    )
    assert refusal(english, "password: a password has 8 to 1024 characters") == (
        "A password has 8 to 1024 characters."
    )


def test_what_nobody_has_translated_is_said_as_it_is():
    assert refusal(LANGUAGES["ru"], "the moon: it is full") == "The moon: it is full."
