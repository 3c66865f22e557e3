"""What a browser needs to install the dashboard as an app."""

import json
import re
import struct
import zlib

from barograph.transport.web.static_files import StaticFiles

STATICS = StaticFiles()
MANIFEST = json.loads(STATICS.get("manifest.webmanifest").plain)
ICONS = {icon["src"]: icon for icon in MANIFEST["icons"]}
PNGS = [name for name, icon in ICONS.items() if icon["type"] == "image/png"]


def pixels(png):
    """Width, height, and the rows of samples of an 8-bit RGB or RGBA image, and its channels."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    channels = {2: 3, 6: 4}[colour]
    data = b"".join(
        png[
            found.end() : found.end()
            + struct.unpack(">I", png[found.start() - 4 : found.start()])[0]
        ]
        for found in re.finditer(rb"IDAT", png)
    )
    raw, rows, above = zlib.decompress(data), [], bytes(width * channels)
    for y in range(height):
        at = y * (width * channels + 1)
        kind, line = raw[at], bytearray(raw[at + 1 : at + 1 + width * channels])
        for i in range(len(line)):
            left = line[i - channels] if i >= channels else 0
            up, corner = above[i], above[i - channels] if i >= channels else 0
            guess = left + up - corner
            near = min((left, up, corner), key=lambda one: abs(guess - one))
            line[i] = (line[i] + (0, left, up, (left + up) // 2, near)[kind]) & 255
        rows.append(bytes(line))
        above = rows[-1]
    return width, height, rows, channels


def test_it_says_what_an_installed_app_is_called_and_where_it_begins():
    assert {"id", "name", "short_name", "start_url", "scope", "display"} <= MANIFEST.keys()
    assert MANIFEST["start_url"].startswith(MANIFEST["scope"])
    purposes = {(icon["purpose"], icon["sizes"]) for icon in ICONS.values()}
    assert {("any", "192x192"), ("any", "512x512"), ("maskable", "512x512")} <= purposes


def test_every_icon_is_there_in_the_size_that_it_says():
    for name in ICONS:
        assert STATICS.get(name) is not None, name
    for name in PNGS:
        width, height = struct.unpack(">II", STATICS.get(name).plain[16:24])
        assert ICONS[name]["sizes"] == f"{width}x{height}"


def test_the_colour_of_the_page_is_that_of_the_app(browser):
    assert f'name="theme-color" content="{MANIFEST["theme_color"]}"' in browser.get("/").text


def test_a_mask_cuts_nothing_off_the_drawing():
    # A mask may take all that is farther from the middle than two fifths of the width.
    width, height, rows, channels = pixels(STATICS.get("icon-maskable.png").plain)
    ground = bytes.fromhex(MANIFEST["theme_color"][1:])
    for y in range(0, height, 4):
        for x in range(0, width, 4):
            pixel = rows[y][x * channels : (x + 1) * channels]
            assert channels == 3 or pixel[3] == 255, "it has to be opaque"
            far = (x - width / 2) ** 2 + (y - height / 2) ** 2 > (0.4 * width) ** 2
            assert not far or pixel[:3] == ground
