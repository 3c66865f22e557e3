"""`barograph simulate`, `latest` and `summary`."""

import json

import httpx
from tests.waiting import PATIENCE_SECONDS


def test_simulated_devices_send_and_are_told_apart(barograph, client, here):
    ran = barograph("simulate", "--every", "100ms", "--count", "3", "--devices", "5", *here)
    assert ran.status == 0, ran.err
    assert ran.out.endswith("readings are stored\n")
    keys = {device.key for device in client.devices() if device.attributes.get("simulated")}
    assert keys == {"weather-mast", "house/kitchen", "house/bedroom", "meter-1", "car-1"}
    stored = sum(
        metric["count"]
        for key in keys
        for metric in client.summary(key, stats="count").answer["metrics"].values()
    )
    assert ran.out == f"{stored} readings are stored\n"

    printed = barograph("latest", *here).out
    assert "house/kitchen" in printed
    newest = json.loads(barograph("latest", "weather-mast", "--json", *here).out)
    assert newest[0]["metrics"].keys() >= {"temperature", "pressure", "wind"}


def test_history_is_there_at_once(barograph, client, here):
    ran = barograph(
        *("simulate", "--every", "5m", "--count", "1", "--devices", "2", "--history", "1d", *here)
    )
    assert ran.status == 0, ran.err
    counted = client.summary("weather-mast", stats="count", metrics="pressure", start="-25h")
    assert 289 <= counted["pressure"]["count"] <= 295


def test_lengths_that_are_none_are_refused(barograph, here):
    assert "--every soon: use a number" in barograph("simulate", "--every", "soon", *here).err
    assert "--every 0s" in barograph("simulate", "--every", "0s", *here).err
    too_much = barograph("simulate", "--every", "1ms", "--history", "9d", *here)
    assert "more than 1,000,000 rows" in too_much.err


def test_a_summary_asks_about_a_device_or_a_user(barograph, client, here):
    owner = client.create_user("owner", "owner@example.org")
    client.create_device("Owned", key="owned", user_id=owner.id)
    client.write("owned", {"x": 2})
    table = barograph("summary", "--user", "owner", "--stats", "min,mean", *here).out.split()
    assert table == ["metric", "min", "mean", "x", "2", "2"]
    assert "name a device, or a user" in barograph("summary", *here).err
    wrong = barograph("summary", "owned", "--stats", "nonsense", *here)
    assert wrong.status == 1
    assert "nonsense" in wrong.err


def test_simulated_devices_send_over_mqtt(barograph, client, here, server):
    options = ("--every", "100ms", "--count", "2", "--devices", "3", "--history", "1m", "--mqtt")
    ran = barograph("simulate", *options, *here)
    assert ran.status == 0, ran.err
    counted = client.summary("house/bedroom", stats="count", metrics="co2")["co2"]["count"]
    assert counted >= 602
    elsewhere = ("--url", server.url, "--token", server.token, "--mqtt-port", str(server.mqtt_port))
    ran = barograph("simulate", "--every", "100ms", "--count", "1", "--mqtt", *elsewhere)
    assert ran.status == 0, ran.err
    told = httpx.get(
        server.url + "/metrics",
        headers={"Authorization": f"Bearer {server.token}"},
        timeout=PATIENCE_SECONDS,
    )
    assert "barograph_mqtt_messages_total 0.0" not in told.text


def test_where_no_mqtt_is_served_it_is_said(barograph, here, server, tmp_path):
    nothing = ("--mqtt", "--url", server.url, "--mqtt-port", "1", "--count", "1")
    assert "--mqtt-port" in barograph("simulate", *nothing).err
    ran = barograph("simulate", "--mqtt", "--count", "1", "--data-dir", tmp_path / "none")
    assert "no server with MQTT" in ran.err
    wrong = ("--mqtt", "--url", server.url, "--token", "wrong", "--count", "1")
    assert barograph("simulate", *wrong, "--mqtt-port", str(server.mqtt_port)).status != 0
