"""The programs in docs/client.md run as they stand, one after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

from barograph import client

DOCS = Path(__file__).parents[2] / "docs" / "client.md"


def test_every_program_in_the_documentation_runs(server, tmp_path):
    programs = re.findall(r"^```python\n(.*?)^```", DOCS.read_text(), re.DOTALL | re.MULTILINE)
    assert len(programs) == 8
    whole = "\n\n".join(programs).replace("http://localhost:8000", server.url)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", whole],
        cwd=tmp_path,
        env={**os.environ, "BAROGRAPH_URL": server.url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "kitchen temperature" in ran.stdout


def test_every_error_is_documented():
    text = DOCS.read_text()
    for name in client.__all__:
        kind = getattr(client, name)
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert f"`{name}`" in text or f"`{name}`s" in text
            assert name in client.errors.__doc__
