"""What to paste to send a device's first reading."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from barograph.domain.device import Device

PLACEHOLDER = "YOUR_DEVICE_TOKEN"


@dataclass(frozen=True, slots=True)
class MqttAddress:
    """Where devices publish: a port of this server, or another broker that it listens to."""

    port: int
    tls: bool = False
    host: str | None = None
    """Another broker's; None means this server, as the visitor reaches it."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text to copy, in one language of programming."""

    id: str
    label: str
    text: str


def snippets(
    base_url: str, device: Device, token: str | None, mqtt: MqttAddress | None
) -> list[Snippet]:
    """How to write a reading of `device` to the server at `base_url`.

    Where the token is not at hand, a placeholder stands for it. Keys, tokens and addresses have no
    character that any of these languages would read as its own.
    """
    ref = device.id if "/" in device.key else device.key
    given = {
        "base": base_url.rstrip("/"),
        "url": f"{base_url.rstrip('/')}/api/devices/{ref}/data",
        "key": device.key,
        "token": token or PLACEHOLDER,
    }
    made = [
        Snippet("curl", "curl", _CURL.format(**given)),
        Snippet("python", "Python", _PYTHON.format(**given)),
    ]
    if mqtt is not None:
        made.append(Snippet("mqtt", "MQTT", _mosquitto_pub(given, base_url, mqtt)))
    return [
        *made,
        Snippet("arduino", "Arduino (ESP32)", _ARDUINO.format(**given)),
        Snippet("micropython", "MicroPython", _MICROPYTHON.format(**given)),
        Snippet("telegraf", "Telegraf", _TELEGRAF.format(**given)),
    ]


def _mosquitto_pub(given: dict[str, str], base_url: str, mqtt: MqttAddress) -> str:
    host = mqtt.host or urlsplit(base_url).hostname or "localhost"
    lines = [f"mosquitto_pub -h {host} -p {mqtt.port} -q 1"]
    if mqtt.tls:
        lines.append("--tls-use-os-certs")
    if mqtt.host is None:  # another broker has users of its own
        lines.append('-u "{key}" -P "{token}"'.format(**given))
    lines += ['-t "devices/{key}/data"'.format(**given), f"-m '{_READING}'"]
    return " \\\n  ".join(lines) + "\n"


_READING = '{"temperature": 21.5, "humidity": 48}'

_CURL = """\
curl {url} \\
  -H "Authorization: Bearer {token}" \\
  -H "Content-Type: application/json" \\
  -d '{{"temperature": 21.5, "humidity": 48}}'
"""

_PYTHON = """\
# pip install barograph
from barograph.client import Client

with Client("{base}", "{token}") as client:
    client.write("{key}", {{"temperature": 21.5, "humidity": 48}})
"""

_ARDUINO = """\
#include <HTTPClient.h>
#include <WiFi.h>

void setup() {{
  Serial.begin(115200);
  WiFi.begin("NETWORK", "PASSWORD");
  while (WiFi.status() != WL_CONNECTED) delay(500);
}}

void loop() {{
  float temperature = 21.5;  // read your sensor here
  HTTPClient http;
  http.begin("{url}");
  http.addHeader("Authorization", "Bearer {token}");
  http.addHeader("Content-Type", "application/json");
  int status = http.POST("{{\\"temperature\\": " + String(temperature) + "}}");
  Serial.println(status);  // 201: it is stored
  http.end();
  delay(60000);
}}
"""

_MICROPYTHON = """\
import requests

answer = requests.post(
    "{url}",
    headers={{"Authorization": "Bearer {token}"}},
    json={{"temperature": 21.5, "humidity": 48}},
)
print(answer.status_code)  # 201: it is stored
answer.close()
"""

_TELEGRAF = """\
[[outputs.http]]
  url = "{url}"
  data_format = "json"
  use_batch_format = false
  json_timestamp_units = "1ms"
  json_transformation = '$merge([fields, {{"ts": timestamp}}])'
  [outputs.http.headers]
    Authorization = "Bearer {token}"
    Content-Type = "application/json"
"""
