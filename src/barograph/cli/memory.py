"""What a long-running process does about its memory once it has started."""

import ctypes
import gc
import sys


def settle() -> None:
    """Give back what the start has freed."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl has not
        if trim is not None:
            trim(0)
