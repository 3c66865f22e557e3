"""The files a page loads: scripts, styles and drawings, shipped in the package.

They are served below an address that contains a digest of them all, so that a browser keeps them
for good and still never mixes two versions; the scripts import each other by relative address.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}


_TOGETHER = {
    "barograph.css": ("barograph.css", "pages.css"),
    "device.css": ("vendor/uplot/uPlot.min.css", "device.css"),
}
"""What is served in one under the name of a file: each request before the first paint delays it."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, as it is and compressed."""

    content_type: str
    plain: bytes
    gzipped: bytes


class StaticFiles:
    """Every file below `static/` whose type a page may load, read once."""

    def __init__(self) -> None:
        read = dict(_walk(files("barograph.transport.web") / "static", ""))
        self._files = {}
        for name in read:
            content = b"\n".join(read[one] for one in _TOGETHER.get(name, (name,)))
            self._files[name] = StaticFile(
                _TYPES[name.rpartition(".")[2]], content, gzip.compress(content, 9, mtime=0)
            )
        digest = hashlib.sha256()
        for name, file in sorted(self._files.items()):
            digest.update(f"{name}\0{len(file.plain)}\0".encode() + file.plain)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of the file; raises `KeyError` for one that is not there."""
        self._files[name]
        return f"/ui/static/{self.version}/{name}"

    def get(self, name: str) -> StaticFile | None:
        """The file, or None."""
        return self._files.get(name)


@cache
def static_files() -> StaticFiles:
    """The files of this program."""
    return StaticFiles()


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            found.append((prefix + entry.name, entry.read_bytes()))
    return found
