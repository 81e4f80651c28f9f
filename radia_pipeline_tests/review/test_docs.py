"""The page about the API: its examples are run against a server, its commands are such as the tool takes."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from radia_pipeline_tests.review.worlds import served
from radia_pipeline_tests.usecases.films import dicom, film

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def blocks(kind: str) -> list[str]:
    """Return the blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def examples(lake, tmp_path):
    """Return what runs an example with the port of a server, beside a film."""
    (tmp_path / "image.dcm").write_bytes(dicom(film(3), 3))
    with served(lake, proxy=None) as (_, port):

        def run(words: list[str]) -> subprocess.CompletedProcess:
            words = [word.replace("127.0.0.1:8080", f"127.0.0.1:{port}") for word in words]
            return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)

        yield run


def test_every_example_of_the_page_does_what_it_says(examples):
    (program,) = blocks("python")
    assert "answered" in examples([sys.executable, "-c", program]).stdout
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 3
    for line in lines:
        done = examples(shlex.split(line))
        assert done.returncode == 0, (line, done.stdout, done.stderr)
