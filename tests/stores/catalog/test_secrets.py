"""The secrets of the catalog, on every database."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from barograph.domain.errors import NotFound


def test_the_first_value_of_a_secret_stays(catalog):
    assert catalog.secrets.get("key") is None
    assert catalog.secrets.get_or_create("key", b"\x00one\xff") == b"\x00one\xff"
    assert catalog.secrets.get_or_create("key", b"two") == b"\x00one\xff"
    assert catalog.secrets.get("key") == b"\x00one\xff"


def test_a_secret_is_put_and_put_again_and_removed(catalog):
    catalog.secrets.put("key", b"one")
    catalog.secrets.put("key", b"two")
    catalog.secrets.put("Key", b"other")
    assert catalog.secrets.get("key") == b"two"
    catalog.secrets.delete("key")
    assert catalog.secrets.get("key") is None
    assert catalog.secrets.get("Key") == b"other"
    with pytest.raises(NotFound, match="no secret 'key'"):
        catalog.secrets.delete("key")


def test_all_who_create_a_secret_at_once_agree(catalog):
    for name in ("a", "b", "c"):
        with ThreadPoolExecutor(8) as threads:
            values = set(
                threads.map(
                    lambda n, name=name: catalog.secrets.get_or_create(name, b"%d" % n), range(8)
                )
            )
        assert values == {catalog.secrets.get(name)}


def test_all_who_put_a_secret_at_once_succeed(catalog):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: catalog.secrets.put("a", b"%d" % n), range(40)))
    assert int(catalog.secrets.get("a")) in range(40)
