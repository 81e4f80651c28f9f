"""Which lines of a table's history a file may belong to that was opened while somebody published."""

from __future__ import annotations

import pytest

from radia_pipeline.lake.proof import _allowed, _Seen
from radia_pipeline.lake.versions import VersionRecord

RECORDS = [VersionRecord(name, 1, 0.0, name) for name in "abcd"]


@pytest.mark.parametrize(
    ("seen", "is_unfinished", "now", "allowed"),
    [
        (3, False, 3, "c"),
        (3, True, 3, "cb"),
        (3, False, 4, "cd"),
        (3, True, 4, "cdb"),
        (1, True, 1, "a"),
        (1, True, 2, "ab"),
        (0, False, 1, "a"),
    ],
)
def test_the_last_line_a_later_one_or_the_one_before_while_its_file_waited(seen, is_unfinished, now, allowed):
    before = _Seen(RECORDS[:seen], True, is_unfinished)
    assert "".join(one.version for one in _allowed(before, RECORDS[:now])) == allowed
