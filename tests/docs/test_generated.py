"""Documentation that cannot lie."""

import importlib.util
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize("name", sorted(generate.PAGES))
def test_the_page_is_what_the_program_says(name):
    assert (DOCS / name).read_text() == generate.PAGES[name](), "run make docs"


def test_the_marks_of_a_terminal_are_not_in_the_page():
    assert "[dim]" not in generate.commands()
    assert "[bold]" not in generate.commands()


def test_every_setting_says_what_it_is_for():
    from barograph import config

    assert [entry.name for entry in config.entries() if not entry.help] == []


def test_every_link_between_the_documents_leads_somewhere():
    root = DOCS.parent
    broken = []
    for page in [*root.glob("*.md"), *DOCS.rglob("*.md")]:
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        broken += [
            f"{page.relative_to(root)}: {target}"
            for target in targets
            if "://" not in target and not (page.parent / target).exists()
        ]
    assert broken == []


def test_every_file_that_the_architecture_names_exists():
    root = DOCS.parent
    source = root / "src" / "barograph"
    text = (root / "ARCHITECTURE.md").read_text()
    named = re.findall(r"`((?:\w[\w.]*/[\w./*-]*)|\w+\.py)`", text)
    assert len(named) > 30
    missing = [
        one
        for one in named
        if not any(list(base.glob(one)) for base in (root, source))
        and not list(source.rglob(one.strip("/")))
    ]
    assert missing == []
