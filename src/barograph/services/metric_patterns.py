"""Which metrics a question means: names, in which `*` stands for any run of characters."""

from collections.abc import Iterable, Sequence


def matches(pattern: str, name: str) -> bool:
    """Whether `name` is of the pattern.

    Each piece between two stars is looked for once, from the left; a regular expression with many
    stars would take a time that grows with a power of the name's length.
    """
    if "*" not in pattern:
        return pattern == name
    head, *middle, tail = pattern.split("*")
    if len(name) < len(head) + len(tail) or not (name.startswith(head) and name.endswith(tail)):
        return False
    place, end = len(head), len(name) - len(tail)
    for piece in middle:
        place = name.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


def choose(patterns: Sequence[str], known: Iterable[str]) -> list[str]:
    """The metrics that the patterns name, in their order; without patterns all that are known.

    A name without a star is always among them, whether it is known or not.
    """
    if not patterns:
        return list(known)
    known = list(known)
    chosen: dict[str, None] = {}
    for pattern in patterns:
        if "*" in pattern:
            chosen.update(dict.fromkeys(name for name in known if matches(pattern, name)))
        else:
            chosen[pattern] = None
    return list(chosen)
