"""How much is done at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of readings; tests make them tiny, so that few readings take every path."""

    page: int = 65_536
    """In one batch of a scan."""
    block: int = 262_144
    """Read at a time for a summary."""
    held: int = 16_000_000
    """Whose values a summary holds in memory for quantiles, 16 bytes each."""
    inserted: int = 500
    """Fewer new readings are not worth a statement of their own."""
    expired: int = 10_000
    """Removed in one transaction."""
