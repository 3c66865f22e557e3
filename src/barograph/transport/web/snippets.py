"""What to paste to send a device's first reading."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from barograph.domain.device import Device

PLACEHOLDER = "YOUR_DEVICE_TOKEN"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text to copy, in one language of programming."""

    id: str
    label: str
    text: str


def snippets(base_url: str, device: Device, token: str | None) -> list[Snippet]:
    """How to write a reading of `device` to the server at `base_url`.

    Where the token is not at hand, a placeholder stands for it.
    """
    ref = device.id if "/" in device.key else device.key
    url = f"{base_url.rstrip('/')}/api/devices/{ref}/data"
    host = urlsplit(base_url).hostname or "localhost"
    token = token or PLACEHOLDER
    return [
        Snippet("curl", "curl", _CURL.format(url=url, token=token)),
        Snippet("python", "Python", _PYTHON.format(url=url, token=token)),
        Snippet("mqtt", "MQTT", _MQTT.format(host=host, key=device.key, token=token)),
    ]


_CURL = """\
curl {url} \\
  -H "Authorization: Bearer {token}" \\
  -H "Content-Type: application/json" \\
  -d '{{"temperature": 21.5, "humidity": 48}}'
"""

_PYTHON = """\
import json
import urllib.request

request = urllib.request.Request(
    "{url}",
    data=json.dumps({{"temperature": 21.5, "humidity": 48}}).encode(),
    headers={{
        "Authorization": "Bearer {token}",
        "Content-Type": "application/json",
    }},
)
with urllib.request.urlopen(request) as response:
    print(response.read().decode())
"""

_MQTT = """\
mosquitto_pub -h {host} -q 1 \\
  -u "{key}" -P "{token}" \\
  -t "devices/{key}/data" \\
  -m '{{"temperature": 21.5, "humidity": 48}}'
"""
