"""What a long-running process does about its memory once it has started."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_DONTNEED = 4
"""Linux' MADV_DONTNEED: unmap pages; what is touched again comes back from its file."""


@contextmanager
def growing() -> Iterator[None]:
    """Make what will last, without a collector that looks through it for garbage it does not have."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def settled() -> Iterator[None]:
    """Run with what the start has made as given.

    It lasts as long as the program, so the collector does not look through it again: that would
    stop everything for a quarter of a second.
    """
    gc.freeze()
    gc.enable()
    try:
        yield
    finally:
        gc.unfreeze()  # or what is left at the end would look like a leak


def settle() -> None:
    """Take what has been made since as given, too, and give memory back to the system.

    That is what the start has freed, and the code that only the start has run.
    """
    gc.freeze()
    _give_back()


def _give_back() -> None:
    if sys.platform != "linux":
        return
    c = ctypes.CDLL(None)
    trim = getattr(c, "malloc_trim", None)  # glibc has it, musl has not
    if trim is not None:
        trim(0)
    for start, stop in _code(Path("/proc/self/maps")):
        # A refusal costs nothing but the memory.
        c.madvise(ctypes.c_void_p(start), ctypes.c_size_t(stop - start), _DONTNEED)


def _code(maps: Path) -> Iterator[tuple[int, int]]:
    """The address ranges of programs and libraries that are mapped to be run, never written."""
    try:
        lines = maps.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        addresses, rights, _offset, _device, inode, *_path = line.split(maxsplit=5)
        if rights == "r-xp" and inode != "0":
            start, _, stop = addresses.partition("-")
            yield int(start, 16), int(stop, 16)
