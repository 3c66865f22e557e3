import re

import pytest

from barograph.domain import errors
from barograph.domain.errors import BarographError, InvalidInput, Problem, StorageFull, Unavailable

LINE = re.compile(r"^(?P<lead>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: {2,}.*)?$")


def drawn():
    """Name to its parent's name, as the docstring draws it."""
    found, above = {}, {}
    for line in errors.__doc__.splitlines():
        match = LINE.match(line)
        if match:
            depth = len(match["lead"]) // 4
            above[depth] = match["name"]
            found[match["name"]] = above.get(depth - 1)
    return found


def defined():
    return {
        name: thing.__base__.__name__
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, BarographError)
    }


def test_the_tree_in_the_docstring_is_the_tree_of_classes():
    assert drawn() == defined() | {"BarographError": None}


def test_every_error_says_in_its_docstring_what_is_wrong():
    assert all(getattr(errors, name).__doc__ for name in defined())


def test_invalid_input_names_each_place_and_says_the_first():
    error = InvalidInput([Problem("[3].t", "is no number"), Problem("[4]", "is empty")])
    assert str(error) == "[3].t: is no number (and 1 more)"
    assert [problem.at for problem in error.problems] == ["[3].t", "[4]"]
    assert str(InvalidInput.of("key", "is taken")) == "key: is taken"
    assert str(InvalidInput.of("", "is empty")) == "is empty"


@pytest.mark.parametrize("kind", [Unavailable, *Unavailable.__subclasses__()])
def test_what_is_unavailable_says_when_to_try_again(kind):
    assert kind("later").retry_after > 0


def test_a_full_disk_takes_longer_than_a_full_backlog():
    assert StorageFull.retry_after > Unavailable.retry_after
