"""Which device and metric a topic names, and who may use it."""

import pytest

from barograph.domain.user import Token
from barograph.mqtt.packets import V5, Connect
from barograph.services.tokens import digest_of
from barograph.transport.http.access import Access
from barograph.transport.mqtt.access import MqttAccess
from barograph.transport.mqtt.rights import Rights
from barograph.transport.mqtt.topics import Template, Topics


@pytest.fixture
def keyed(core):
    def make(key, owner=None):
        user_id = None if owner is None else owner.user_id
        device = core.catalog.devices.create(key, key, user_id, None, {}, 0)
        core.registry.put_device(device)
        return device

    return make


@pytest.fixture
def topics(core):
    templates = ["home/{device}/sensor/{metric}", "raw/+/{device}"]
    return Topics(core.registry, map(Template.parse, templates))


def found(topics, topic):
    place = topics.find(topic)
    if place is None:
        return None
    return (place.key, place.device is not None, place.metric, place.readings)


@pytest.mark.parametrize(
    ("topic", "wanted"),
    [
        ("devices/a", ("a", True, None, True)),
        ("devices/a/data", ("a", True, None, True)),
        ("devices/a/t", ("a", True, "t", True)),
        ("devices/a/t/u", ("a", True, "t/u", True)),
        ("devices/a/b", ("a/b", True, None, True)),
        ("devices/a/b/t", ("a/b", True, "t", True)),
        ("devices/a/command", ("a", True, None, False)),
        ("devices/a/command/1", ("a", True, None, False)),
        ("devices/new/t/u", ("new", False, "t/u", True)),
        ("home/a/sensor/t", ("a", True, "t", True)),
        ("raw/x/a", ("a", True, None, True)),
        ("home/a/other/t", None),
        ("elsewhere", None),
    ],
)
def test_a_topic_names_device_and_metric(keyed, topics, topic, wanted):
    keyed("a")
    keyed("a/b")
    assert found(topics, topic) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "home/{metric}",
        "a/{device}/{device}",
        "$a/{device}",
        "devices/{device}/x",
        "a/{device}/#",
        "x{device}",
    ],
)
def test_a_template_that_cannot_work_is_refused(text):
    with pytest.raises(ValueError, match=r"template|levels"):
        Template.parse(text)


@pytest.fixture
def rights(core, topics):
    access = Access(core.registry, core.accounts, "required", ["127.0.0.1"])
    keyed = MqttAccess(core.registry, core.accounts, access, open=False)
    return Rights(keyed, topics, auto_create=True)


@pytest.mark.parametrize(
    ("topic_filter", "device", "user"),
    [
        ("devices/mine/#", True, True),
        ("devices/mine", True, True),
        ("devices/mine/+", True, True),
        ("devices/mine/below/t", False, False),
        ("devices/theirs/#", False, False),
        ("devices/+/t", False, True),
        ("#", False, True),
        ("home/mine/sensor/+", True, True),
        ("home/mine/#", True, True),
        ("home/+/sensor/t", False, True),
        ("home/theirs/sensor/t", False, False),
        ("elsewhere", False, False),
    ],
)
def test_filters_are_granted_below_ones_own_devices(
    rights, keyed, fleet, topic_filter, device, user
):
    anna, boris = fleet.user("anna"), fleet.user("boris")
    mine = keyed("mine", anna)
    keyed("theirs", boris)
    keyed("mine/below", boris)
    assert rights.may_subscribe(f"device:{mine.id}", topic_filter) is device
    assert rights.may_subscribe(f"user:{anna.user_id}", topic_filter) is user
    assert rights.may_subscribe("operator", topic_filter)


def test_messages_reach_only_who_may_read_the_device(rights, keyed, fleet):
    anna, boris, chief = fleet.user("anna"), fleet.user("boris"), fleet.user("chief", "admin")
    keyed("mine", anna)
    for who, may in ((anna, True), (boris, False), (chief, True)):
        assert rights.may_receive(f"user:{who.user_id}", "devices/mine/t") is may
    assert not rights.may_receive(f"user:{anna.user_id}", "elsewhere")
    assert not rights.may_receive("user:999", "devices/mine/t")
    assert not rights.may_receive("device:999", "devices/mine/t")


def test_a_viewer_reads_and_does_not_write(rights, keyed, fleet):
    viewer = fleet.user("viewer", "viewer")
    keyed("mine", viewer)
    name = f"user:{viewer.user_id}"
    assert rights.may_subscribe(name, "devices/mine/#")
    assert not rights.may_publish(name, "devices/mine/t")
    assert not rights.may_publish(name, "devices/new/t")


def test_nobody_publishes_to_the_servers_own_topics(rights):
    assert not rights.may_publish("operator", "$SYS/x")


def test_strangers_on_an_open_server_make_no_devices(rights):
    assert rights.may_create("operator", "new")
    assert not rights.may_create("anyone", "new")


def test_a_revoked_token_no_longer_holds(core, fleet, keyed):
    access = Access(core.registry, core.accounts, "required", ["127.0.0.1"])
    mqtt = MqttAccess(core.registry, core.accounts, access, open=False)
    device = keyed("mine")
    text = "A" * 20
    core.registry.put_token(Token(1, digest_of(text), device_id=device.id))

    admission = mqtt.quick(Connect(V5, "c", True, 0, "mine", text.encode()), "192.0.2.1")
    assert admission.name == f"device:{device.id}"
    assert admission.holds()
    core.registry.drop_device_tokens(device.id)
    assert not admission.holds()
