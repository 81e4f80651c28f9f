"""Which ensemble answers: the champion that a person approved, where there is one, else the ensemble as it stands.

What comes after the ensemble (predictions, pseudo boxes, the detector) asks here and says which. A champion answers
with the models of its approval, whatever was trained since. Not here: how one becomes champion (``champion``,
``gate``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from radia_pipeline.contracts.pools import VALIDATION
from radia_pipeline.errors import BadInput, MissingTable, NotTrained
from radia_pipeline.evaluation.ensemble import Ensemble, ensemble_of, load_ensemble
from radia_pipeline.evaluation.panel import ENSEMBLE, Panel, panel_of, read_held, read_panel
from radia_pipeline.lake.lake import WHOLE, Lake
from radia_pipeline.training.model_folders import is_finished, latest_model

CHAMPION = "champion"
Rescorer = Callable[[Lake, str, Path], pa.Table]
"""Lake, recipe, model's folder → rows of ``predictions`` on the validation pool."""


def rescore(lake: Lake, recipe: str, folder: Path) -> pa.Table:
    """Score the validation pool with the model of a folder."""
    from radia_pipeline.training.inference import score_manifest

    return score_manifest(lake, recipe, (VALIDATION,), folder=folder)


@dataclass(frozen=True)
class InUse:
    """An ensemble that may answer. ``kind``: ensemble or champion; ``version``: of the table of that name;
    ``ensemble_version``: of the table ``ensemble`` that it is or was.

    Of a champion: ``release``, ``standing``, ``stated_shift``; ``fingerprints``: member → its model; ``predictions``:
    member, or ``ensemble``, → data version of what it said of validation when it was approved.
    """

    lake: Lake
    kind: str
    version: str
    ensemble: Ensemble
    ensemble_version: str
    release: str | None = None
    standing: str | None = None
    stated_shift: str | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    predictions: Mapping[str, str] = field(default_factory=dict)

    def folder(self, member: str) -> Path:
        """Return the folder of a member's model; raises NotTrained where it is gone."""
        if self.kind == ENSEMBLE:
            return latest_model(self.lake, member)
        folder = self.lake.models_dir / member / self.fingerprints[member]
        if not self.fingerprints[member] or not is_finished(folder):
            raise NotTrained(
                f"The model {member} of the champion is gone",
                do="restore the folder models/ from a backup, or `radia champion rollback`",
            )
        return folder

    def panel(self, member: str, *, of: Panel | None = None, rescorer: Rescorer = rescore, held: bool = False) -> Panel:
        """Return what a member says of validation, or of its ``held`` splits. ``of``: studies that must be in it, as
        this panel saw them.

        A champion's stands as it was kept; what is not kept any more, or lacks one of the studies, is scored anew.
        """
        if self.kind == ENSEMBLE:
            return read_held(self.lake, member) if held else read_panel(self.lake, member)
        found = self._kept(member, held)
        if found is None or (of is not None and not _covers(found, of)):
            found = panel_of(rescorer(self.lake, member, self.folder(member))).only(held=held)
        return found

    def _kept(self, member: str, held: bool) -> Panel | None:
        try:
            kept = self.lake.read_version("predictions", member, self.predictions[member])
        except (MissingTable, BadInput):  # it was collected or erased, or nothing was kept
            return None
        return panel_of(kept).only(pool=VALIDATION, held=held)


def in_use(lake: Lake) -> InUse:
    """Return the champion, or the ensemble where there is none; raises NotTrained before there is one."""
    champion = champion_of(lake)
    if champion is not None:
        return champion
    try:
        return challenger_of(lake)
    except MissingTable:
        raise NotTrained("This lake has no ensemble yet", do="train it with `radia run` or `radia demo`") from None


def challenger_of(lake: Lake) -> InUse:
    """Return the ensemble as it stands; raises MissingTable before it was built."""
    version = lake.version(ENSEMBLE)
    return InUse(lake, ENSEMBLE, version, load_ensemble(lake), version)


def champion_of(lake: Lake) -> InUse | None:
    """Return the champion, None where nobody approved one."""
    if not lake.exists(CHAMPION):
        return None
    rows = lake.read(CHAMPION, WHOLE).to_pylist()
    one, chosen = rows[0], ensemble_of(rows)
    return InUse(
        lake,
        CHAMPION,
        lake.version(CHAMPION),
        chosen,
        one["ensemble_version"],
        one["release"],
        one["standing"],
        one["stated_shift"],
        dict(zip(chosen.members, one["fingerprints"], strict=True)),
        dict(zip((*chosen.members, ENSEMBLE), one["predictions_versions"], strict=True)),
    )


def _covers(found: Panel, wanted: Panel) -> bool:
    """Tell whether a panel holds all studies of another, seen by as many pictures."""
    known = dict(_keyed(found))
    return all(known.get(key) == count for key, count in _keyed(wanted))


def _keyed(panel: Panel) -> list[tuple[tuple[str, str], int]]:
    return list(zip(zip(panel.source.tolist(), panel.study_id.tolist()), panel.image_count.tolist()))
