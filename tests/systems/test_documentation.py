"""The calls of the pages "coming from …", run as they stand there, by curl."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "coming-from"
SYSTEMS = ("temperature", "statistics", "dealer", "monitoring", "parameters")
# What is another in each run.
_ANY = frozenset({"id", "ts", "message", "access_token", "start_time", "end_time"})


def calls(name):
    """The commands of the page in order, and the answer that it shows to each, if it does."""
    for block in re.findall(r"```sh\n(.*?)```", (PAGES / f"{name}.md").read_text(), re.DOTALL):
        for part in re.split(r"\n(?=curl )", block.replace("\\\n", " ")):
            command, *shown = part.strip().split("\n# ")
            yield command, shown[0] if shown else None


def same(found, shown, at=""):
    """Compare an answer with the one that is shown, where the two can be the same."""
    if isinstance(shown, dict):
        assert isinstance(found, dict), at
        assert set(shown) <= set(found), at
        for key, value in shown.items():
            if key not in _ANY or isinstance(value, list | dict):
                same(found[key], value, f"{at}.{key}")
    elif isinstance(shown, list):
        assert len(found) == len(shown), at
        for one, other in zip(found, shown, strict=True):
            same(one, other, at)
    else:
        assert found == shown, at


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_call_of_the_page_is_answered_as_it_says(started, name):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    url = started().url
    variables = {}
    count = 0
    for command, shown in calls(name):
        assert command.startswith("curl ")
        here = re.sub(r"http://localhost:\d+", url, command)
        done = subprocess.run(
            [
                "bash",
                "-uc",
                here.replace("curl ", "curl --silent --show-error --fail-with-body ", 1),
            ],
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        answer = json.loads(done.stdout)
        if shown is not None and "…" in shown:
            assert set(re.findall(r'"(\w+)":', shown)) <= set(re.findall(r'"(\w+)":', done.stdout))
        elif shown is not None:
            same(answer, json.loads(shown))
        # The pages give these names to what the calls before answered.
        if '"reg"' in command:
            variables["DEVICE_TOKEN" if "/devices" in command else "USER_TOKEN"] = answer["message"]
        if "/auth " in command:
            variables["JWT"] = answer["access_token"]
        count += 1
    assert count >= 3


def test_there_is_a_page_for_each_system_and_the_index_names_it():
    index = (PAGES / "README.md").read_text()
    for name in SYSTEMS:
        assert f"]({name}.md)" in index


def test_the_comparison_would_notice():
    same({"type": "OK", "message": "abc"}, {"type": "OK", "message": "xyz"})
    for found in (
        {"type": "ERR", "message": "abc"},
        {"message": "abc"},
        {"type": "OK", "message": [2]},
    ):
        with pytest.raises(AssertionError):
            same(found, {"type": "OK", "message": [1]})
