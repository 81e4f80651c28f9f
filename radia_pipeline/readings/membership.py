"""What a reading set holds: its rows in ``reading_sets``, the hash that closes them, the classes that it asks.

Not here: how a set is drawn (``sets``), the event that closes it (``store``), what was read of it (``truth``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from radia_pipeline.contracts.migrations import renamed
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, DamagedFile
from radia_pipeline.lake.lake import Lake

TABLE = "reading_sets"
Rows = Sequence[Mapping]
"""Rows of one set."""


def read_sets(lake: Lake) -> dict[str, list[dict]]:
    """Return set_id → rows of ``reading_sets``; empty before the first draw."""
    sets: dict[str, list[dict]] = {}
    for row in lake.read(TABLE).to_pylist() if lake.exists(TABLE) else ():
        sets.setdefault(row["set_id"], []).append(row)
    return sets


def rows_of_set(lake: Lake, set_id: str) -> list[dict]:
    """Return the rows of one set; raises BadInput where none of that name was drawn."""
    rows = read_sets(lake).get(set_id)
    if rows is None:
        raise BadInput(f"No reading set {set_id!r} was drawn", do="see `radia review status`")
    return rows


def members_sha256(members: Sequence[tuple[str, str, float]]) -> str:
    """Return the hash of what is closed: (study_id, stratum, inclusion probability), in any order."""
    return hashlib.sha256(json.dumps(sorted(members)).encode()).hexdigest()


def sha256_of(rows: Rows) -> str:
    """Return the hash of a set's rows."""
    return members_sha256([(row["study_id"], row["stratum"], row["inclusion_probability"]) for row in rows])


def require_as_closed(set_id: str, rows: Rows, closed: Sequence[str]) -> None:
    """Raise DamagedFile where a set's rows are not those that one of its closings wrote down."""
    if sha256_of(rows) not in closed:
        raise DamagedFile(
            f"The reading set {set_id} is not as it was closed: studies, strata or inclusion probabilities differ",
            do="restore the table reading_sets from `_versions/` or a backup; figures on this set would be wrong",
        )


def classes_of(rows: Rows) -> tuple[str, ...]:
    """Return the classes that a set asks, in the words and order of the installed vocabulary.

    They are those of the vocabulary in which it was drawn: a class that a migration added since is not asked, since the
    studies that were read before have no answer to it; a retired one is no longer.
    """
    words = vocabulary()
    drawn_in = rows[0]["vocabulary_version"]
    if drawn_in not in words.classes_by_version:
        return words.classes
    path = words.way_from(drawn_in)
    asked = {renamed(name, path) for name in words.classes_by_version[drawn_in]}
    return tuple(name for name in words.classes if name in asked)
