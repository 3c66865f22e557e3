"""What a long-running process does about its memory once it has started."""

import ctypes
import gc
import sys

_ALLOCATIONS_PER_COLLECTION = 20_000
"""Python's 700 makes a collection of every few groups of requests, and each finds nothing."""


def settle() -> None:
    """Give back what the start has freed, and collect less often."""
    gc.collect()
    gc.set_threshold(_ALLOCATIONS_PER_COLLECTION, 20, 20)
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)
