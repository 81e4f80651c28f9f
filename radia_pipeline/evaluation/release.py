"""A released ensemble and its members on the test pool: scored once, with a line in the ledger before it happens.

The table ``test_predictions`` holds those scores and says of which release they are. What does not belong here: the
ledger itself (``pool_uses``), figures (``scorecard``).
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.contracts.pools import TEST
from radia_pipeline.errors import BadInput, DamagedFile, EmptyPool, MissingTable, NotTrained
from radia_pipeline.evaluation.ensemble import load_ensemble
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, aligned, panel_of, rows_of
from radia_pipeline.evaluation.pool_uses import RELEASE, note_use, uses
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.training.model_folders import latest_model
from radia_pipeline.training.studies import HELD

TABLE = "test_predictions"
SHOWN = 12
"""Characters of a release's id."""

Scorer = Callable[[Lake, str], pa.Table]
"""Lake, recipe → rows of ``predictions`` on the test pool."""


@dataclass(frozen=True)
class Release:
    """Who releases the ensemble as it stands, and why."""

    who: str
    why: str

    def __post_init__(self) -> None:
        if not self.who.strip() or not self.why.strip():
            raise BadInput("A release needs a name and a reason", accepted="who releases the ensemble, and why")


def release_id(lake: Lake) -> str:
    """Return what tells this ensemble from every other: its table and its members' models. Raises MissingTable."""
    parts = [lake.version(ENSEMBLE)]
    for member in load_ensemble(lake).used_members:
        try:
            parts.append(f"{member}={latest_model(lake, member).name}")
        except NotTrained:
            parts.append(f"{member}=none")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:SHOWN]


def score_with_models(lake: Lake, recipe: str) -> pa.Table:
    """Score the test pool with a recipe's newest model."""
    from radia_pipeline.training.inference import score_manifest

    return score_manifest(lake, recipe, (TEST,))


def released_panels(lake: Lake, *, held: bool = False) -> dict[str, Panel]:
    """Return the test pool's panel of the released ensemble and of its members; empty where it is not released.

    ``held``: that of the test pool's held splits instead.
    """
    if not lake.exists(TABLE) or not lake.exists(ENSEMBLE):
        return {}
    table = lake.read(TABLE)
    table = table.filter(pc.equal(table["release"], release_id(lake))).drop_columns(["release"])
    models = sorted(pc.unique(table["recipe"]).to_pylist(), key=lambda name: (name == ENSEMBLE, name))
    found = {name: panel_of(table.filter(pc.equal(table["recipe"], name))) for name in models}
    parts = {name: panel.only(held=held) for name, panel in found.items()}
    return dict(zip(parts, aligned(list(parts.values())))) if parts and all(map(len, parts.values())) else {}


def kept_scores(lake: Lake, released: str, version: str | None, *, held: bool = False) -> Panel | None:
    """Return what a released ensemble said of the test pool, from a version of the table; None where none is kept."""
    try:
        table = lake.read_version(TABLE, WHOLE, version) if version else lake.read(TABLE)
    except (MissingTable, BadInput):
        return None
    is_it = pc.and_(pc.equal(table["release"], released), pc.equal(table["recipe"], ENSEMBLE))
    table = table.filter(is_it).drop_columns(["release"])
    return panel_of(table).only(held=held) if table.num_rows else None


def is_noted(lake: Lake) -> bool:
    """Say whether the ledger has a line for the release of the ensemble as it stands; False where there is none."""
    return lake.exists(ENSEMBLE) and any((use.purpose, use.name) == (RELEASE, _named(lake)) for use in uses(lake))


def _named(lake: Lake) -> str:
    """Return the ensemble as the ledger names it."""
    chosen = load_ensemble(lake)
    return f"{ENSEMBLE} {release_id(lake)}: {chosen.rule} of {', '.join(chosen.used_members)}"


def release(lake: Lake, given: Release, scorer: Scorer = score_with_models) -> bool:
    """Score the test pool with the ensemble and the members that it uses; False where this was done before.

    The ledger has its line before any study is scored. Raises MissingTable before there is an ensemble, EmptyPool.
    """
    with lake.lock(TABLE):
        with contextlib.suppress(DamagedFile):  # what was lost is scored again, under the line that the ledger has
            if released_panels(lake):
                return False
        chosen, name = load_ensemble(lake), release_id(lake)
        studies = _test_studies(lake)
        if not studies:
            raise EmptyPool("The test pool holds no study", do="run with more patients: pools are 80/10/10")
        if not is_noted(lake):  # a scoring that failed goes on
            note_use(lake, RELEASE, _named(lake), studies, who=given.who.strip(), why=given.why.strip())
        members = {member: panel_of(scorer(lake, member)) for member in chosen.used_members}
        panels = dict(zip(members, aligned(list(members.values()))))
        moved, probability = chosen.predict({member: panel.probability for member, panel in panels.items()})
        first = next(iter(panels.values()))
        panels[ENSEMBLE] = replace(first, logit=moved, probability=probability)
        tables = [rows_of(panel, model) for model, panel in panels.items()]
        joined = pa.concat_tables(tables)
        lake.write(TABLE, joined.append_column("release", pa.array([name] * joined.num_rows, pa.string())))
    return True


def _test_studies(lake: Lake) -> int:
    """Count the studies that a release scores, those of held splits too; rows that a late link excludes are not."""
    manifest = lake.read("manifest", columns=["source", "study_id", "pool", "excluded"])
    manifest = manifest.filter(
        pc.and_(
            pc.equal(manifest["pool"], TEST),
            pc.or_kleene(pc.is_null(manifest["excluded"]), pc.equal(manifest["excluded"], HELD)),
        )
    )
    return manifest.group_by(["source", "study_id"]).aggregate([]).num_rows
