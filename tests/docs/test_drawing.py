"""The drawing of the architecture shows what the code is."""

import importlib.util
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import grimp
import pytest

import barograph

DOCS = Path(__file__).parents[2] / "docs"
SOURCE = Path(barograph.__file__).parent

_spec = importlib.util.spec_from_file_location("drawing", DOCS / "drawing.py")
drawing = importlib.util.module_from_spec(_spec)
sys.modules["drawing"] = drawing  # where its dataclasses look for it
_spec.loader.exec_module(drawing)


@pytest.mark.parametrize("name", sorted(drawing.FILES))
def test_the_file_is_what_the_description_makes(name):
    assert (DOCS / name).read_text() == drawing.FILES[name](), "run python -m docs.drawing"


@pytest.mark.parametrize("path", sorted(drawing.inside()))
def test_what_is_drawn_exists(path):
    assert (SOURCE / path).exists()


def test_every_room_is_drawn():
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    rooms.add("config.py")
    assert {path for path in drawing.inside() if "/" not in path} == rooms


def test_every_arrow_is_a_chain_of_imports():
    graph = grimp.build_graph("barograph")

    def module(path):
        return "barograph." + path.removesuffix(".py").replace("/", ".")

    wrong = [
        f"{arrow.source} -> {arrow.target}"
        for arrow in drawing.ARROWS
        if {arrow.source, arrow.target} <= set(drawing.inside())
        and arrow.handed
        == graph.chain_exists(module(arrow.source), module(arrow.target), as_packages=True)
    ]
    handed = {arrow.target for arrow in drawing.ARROWS if arrow.handed}
    wired = {
        imported
        for part in graph.find_descendants("barograph.wiring")
        for imported in graph.find_modules_directly_imported_by(part)
    }
    assert {module(path) for path in handed} <= wired
    assert wrong == []


def test_every_arrow_begins_and_ends_at_a_box():
    boxes = {box.path for box in drawing.BOXES}
    assert {end for arrow in drawing.ARROWS for end in (arrow.source, arrow.target)} <= boxes
    assert len(boxes) == len(drawing.BOXES)


def test_parts_lie_in_the_room_that_they_belong_to():
    boxes = drawing.inside()
    for path, part in boxes.items():
        room = boxes[path.partition("/")[0]]
        assert room.x <= part.x, path
        assert part.x + part.w <= room.x + room.w, path
        assert room.y <= part.y, path
        assert part.y + part.h <= room.y + room.h, path


def test_no_text_is_wider_than_its_box():
    for box in drawing.BOXES:
        if box.kind != "room":
            assert len(box.title) * 7.9 <= box.w, box.title
            assert len(box.about) * 6.8 <= box.w, box.about


def test_both_files_are_well_formed_and_show_the_same():
    svg = ET.parse(DOCS / "architecture.svg").getroot()
    names = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    cells = list(ET.parse(DOCS / "architecture.drawio").getroot().iter("mxCell"))
    assert len([cell for cell in cells if cell.get("vertex")]) == len(drawing.BOXES)
    assert len([cell for cell in cells if cell.get("edge")]) == len(drawing.ARROWS)
    labels = " ".join(cell.get("value") or "" for cell in cells)
    for box in drawing.BOXES:
        assert box.title in names
        assert box.title in labels
