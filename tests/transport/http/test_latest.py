from barograph.domain.time import from_text
from barograph.domain.user import Principal

T0 = from_text("2026-01-01T00:00:00.500Z")


def test_the_newest_value_of_every_metric_is_told(admin, fleet):
    device = fleet.device("kitchen")
    fleet.send(device, "x", [(T0, 1.5), (T0 - 1, 9.0)])
    fleet.send(device, "door", [(T0, "open")])
    assert admin.get(f"/api/devices/{device.id}/latest").json() == {
        "device_id": device.id,
        "key": device.key,
        "name": "kitchen",
        "metrics": {
            "x": {"value": 1.5, "ts": "2026-01-01T00:00:00.500Z"},
            "door": {"value": "open", "ts": "2026-01-01T00:00:00.500Z"},
        },
    }


def test_newest_values_of_all_devices_are_those_one_may_see(stranger, sign_in, fleet):
    anna = fleet.user("anna")
    hers, other = fleet.device(owner=anna), fleet.device()
    fleet.send(hers, "x", [(T0, 1.0)])
    fleet.send(other, "x", [(T0, 2.0)])
    stranger.headers = sign_in(anna)
    seen = stranger.get("/api/latest").json()
    assert [(one["device_id"], one["metrics"]["x"]["value"]) for one in seen] == [(hers.id, 1.0)]
    stranger.headers = sign_in(Principal("device", device_id=other.id))
    assert [one["device_id"] for one in stranger.get("/api/latest/").json()] == [other.id]


def test_without_readings_there_are_no_values(admin, fleet):
    device = fleet.device()
    assert admin.get(f"/api/devices/{device.key}/latest").json()["metrics"] == {}
    assert admin.get("/api/devices/none/latest").status_code == 404
