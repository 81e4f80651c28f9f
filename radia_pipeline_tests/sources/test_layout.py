"""Listing a delivery: every file once, in the order of its path, whatever folders are called."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from radia_pipeline.sources.layout import files_below

NAMES = st.sampled_from(["a", "a.b", "a-b", "a b", "A", "é", "a0", "ab", "z"])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4), max_size=25)


@settings(max_examples=60, deadline=None)
@given(PATHS)
def test_files_come_in_the_order_of_their_paths(paths):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for parts in paths:
            path = root.joinpath(*parts[:-1], f"{parts[-1]}.dcm")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        tops = [path.name for path in root.iterdir() if path.is_dir()]
        expected = sorted(
            (Path(here) / name).relative_to(root).as_posix()
            for top in tops
            for here, _, names in os.walk(root / top)
            for name in names
        )
        assert [file.relative_path for file in files_below(root, [*tops, *tops, "missing"])] == expected


def test_links_to_folders_are_not_followed_and_a_name_that_is_no_text_is_listed(tmp_path):
    (tmp_path / "films" / "b").mkdir(parents=True)
    (tmp_path / "films" / "b" / "circle").symlink_to(tmp_path / "films")
    (tmp_path / "films" / "gone.dcm").symlink_to(tmp_path / "nowhere")
    (tmp_path / "films" / os.fsdecode(b"\xe9t\xe9.dcm")).touch()
    found = [os.fsencode(file.relative_path) for file in files_below(tmp_path, ["films"])]
    assert found == [b"films/gone.dcm", b"films/\xe9t\xe9.dcm"]
