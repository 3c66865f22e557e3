"""How far an import is, noted in a small file beside the data."""

from pathlib import Path

import msgspec

from barograph.domain.errors import InvalidInput

_SUFFIX = ".barograph-import"


class Progress(msgspec.Struct):
    """What is stored of a file."""

    fingerprint: str
    rows: int = 0
    readings: int = 0


class ProgressFile:
    """Keeps the progress of one data file."""

    def __init__(self, data: Path, fingerprint: str) -> None:
        self.path = data.with_name(data.name + _SUFFIX)
        self.writable = True
        self._data = data
        self._fingerprint = fingerprint

    def load(self) -> Progress:
        """Where the interrupted import stopped; raises `InvalidInput` for another file's."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Progress)
        except FileNotFoundError:
            return Progress(self._fingerprint)
        except (OSError, msgspec.DecodeError) as error:
            raise InvalidInput.of(
                str(self.path), f"this cannot be read: {error}; import without --resume"
            ) from None
        if found.fingerprint != self._fingerprint:
            raise InvalidInput.of(
                str(self._data),
                "this file has changed since its import was interrupted: import it without "
                "--resume (what is stored already is not doubled)",
            )
        return found

    def save(self, rows: int, readings: int) -> None:
        """Note that so many rows are stored. Where nothing can be written, nothing is noted."""
        partial = self.path.with_name(self.path.name + ".part")
        try:
            partial.write_bytes(msgspec.json.encode(Progress(self._fingerprint, rows, readings)))
            partial.replace(self.path)
        except OSError:
            self.writable = False

    def remove(self) -> None:
        """The import is complete."""
        if self.writable:
            self.path.unlink(missing_ok=True)
