import pytest

from barograph.domain.device import Device
from barograph.domain.errors import Forbidden, NotFound
from barograph.domain.user import (
    OPERATOR,
    Principal,
    require_admin,
    require_device,
    require_member,
    require_user,
)

ADMIN = Principal("user", user_id=1, role="admin")
MEMBER = Principal("user", user_id=2, role="member")
VIEWER = Principal("user", user_id=3, role="viewer")
DEVICE = Principal("device", device_id=20)
OF_MEMBER = Device(20, "a", "a", user_id=2)
OF_VIEWER = Device(30, "b", "b", user_id=3)
OF_NOBODY = Device(40, "c", "c", user_id=None)

YES = None
WHO = {"operator": OPERATOR, "admin": ADMIN, "member": MEMBER, "viewer": VIEWER, "device": DEVICE}


def outcome(call, *args, **options):
    try:
        call(*args, **options)
    except (Forbidden, NotFound) as error:
        return type(error)
    return YES


@pytest.mark.parametrize(
    ("who", "device", "read", "write"),
    [
        ("operator", OF_MEMBER, YES, YES),
        ("operator", OF_NOBODY, YES, YES),
        ("operator", None, NotFound, NotFound),
        ("admin", OF_MEMBER, YES, YES),
        ("admin", OF_NOBODY, YES, YES),
        ("admin", None, NotFound, NotFound),
        ("member", OF_MEMBER, YES, YES),
        ("member", OF_VIEWER, NotFound, NotFound),
        ("member", OF_NOBODY, NotFound, NotFound),
        ("member", None, NotFound, NotFound),
        ("viewer", OF_VIEWER, YES, Forbidden),
        ("viewer", OF_MEMBER, NotFound, NotFound),
        ("device", OF_MEMBER, YES, YES),
        ("device", OF_VIEWER, Forbidden, Forbidden),
        ("device", None, Forbidden, Forbidden),
    ],
)
def test_who_may_read_and_write_a_device(who, device, read, write):
    assert outcome(require_device, WHO[who], device) is read
    assert outcome(require_device, WHO[who], device, write=True) is write


def test_the_device_is_given_back():
    assert require_device(MEMBER, OF_MEMBER) is OF_MEMBER


def test_another_users_device_looks_like_none_at_all():
    with pytest.raises(NotFound) as other:
        require_device(MEMBER, OF_VIEWER)
    with pytest.raises(NotFound) as none:
        require_device(MEMBER, None)
    assert str(other.value) == str(none.value)


@pytest.mark.parametrize(
    ("who", "of_2", "create", "administer"),
    [
        ("operator", YES, YES, YES),
        ("admin", YES, YES, YES),
        ("member", YES, YES, Forbidden),
        ("viewer", NotFound, Forbidden, Forbidden),
        ("device", Forbidden, Forbidden, Forbidden),
    ],
)
def test_who_may_see_a_user_create_and_administer(who, of_2, create, administer):
    assert outcome(require_user, WHO[who], 2) is of_2
    assert outcome(require_member, WHO[who]) is create
    assert outcome(require_admin, WHO[who]) is administer


def test_a_device_that_claims_a_role_is_no_administrator():
    assert not Principal("device", device_id=20, role="admin").is_admin


def test_a_user_without_an_id_owns_nothing():
    nobody = Principal("user", user_id=None)
    assert outcome(require_device, nobody, OF_NOBODY) is NotFound
