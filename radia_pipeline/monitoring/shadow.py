"""A challenger in the shadow of the champion: both look at films that came since they were trained; only one answers.

New is a study that stood in no manifest of either's trainings; of each patient one frontal film of the first such study
is looked at, once for each pair of models, and never one of the test pool. Not here: how the two differ
(``differing``), who is promoted (``usecases.promotion``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from radia_pipeline.cohort.flags import LEFT_OUT
from radia_pipeline.contracts.pools import TEST
from radia_pipeline.dicom import png16
from radia_pipeline.errors import NotTrained
from radia_pipeline.evaluation.answering import served_models
from radia_pipeline.evaluation.in_use import InUse, challenger_of, champion_of
from radia_pipeline.evaluation.panel import ENSEMBLE
from radia_pipeline.evaluation.serving import ServedModel
from radia_pipeline.lake.lake import Lake
from radia_pipeline.monitoring.arrived import Arrived, arrived
from radia_pipeline.monitoring.learned import known_to
from radia_pipeline.monitoring.observed import pools_of
from radia_pipeline.monitoring.protocol import protocol_of
from radia_pipeline.monitoring.readouts import named
from radia_pipeline.training.inputs import letterbox
from radia_pipeline.training.studies import FRONTAL_ORDER

TABLE = "shadow_scores"
_COLUMNS = ("image_id", "study_id", "patient_key", "path", "view", "flags")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """Champion and challenger, each with what names its models and their combination."""

    champion: InUse
    challenger: InUse
    names: tuple[str, str]

    @property
    def sides(self) -> tuple[InUse, InUse]:
        """The champion first."""
        return self.champion, self.challenger


def pair_of(lake: Lake) -> Pair | None:
    """Return the champion and the ensemble as it stands, None where one is missing or both are the same."""
    champion = champion_of(lake)
    if champion is None or not lake.exists(ENSEMBLE):
        return None
    sides = champion, challenger_of(lake)
    try:
        ours, theirs = (named(one.ensemble_version, _fingerprints(one)) for one in sides)
    except NotTrained:
        return None
    return None if ours == theirs else Pair(*sides, (ours, theirs))


def _fingerprints(using: InUse) -> dict[str, str]:
    return {name: using.folder(name).name for name in using.ensemble.used_members}


def score_in_shadow(lake: Lake, source: str, day: date, pair: Pair, most: int) -> list[dict[str, Any]]:
    """Let both look at what arrived until a day and neither has met; publish and return ``shadow_scores``.

    ``most``: films of one delivery.
    """
    standing = lake.read("images", source, list(_COLUMNS)).to_pylist()
    ids = {film["image_id"] for film in standing}
    before = lake.last_sound(TABLE, source)
    known = {
        row["image_id"]: row
        for row in (before.to_pylist() if before is not None else [])
        if (row["champion"], row["challenger"]) == pair.names and row["image_id"] in ids
    }
    wanted = list(_new_films(lake, source, standing, arrived(lake, source).until(day), pair, most))
    missing = [film for film in wanted if film["image_id"] not in known]
    if missing:
        known |= {row["image_id"]: row for row in _looked_at(lake, source, missing, pair)}
    lake.write(TABLE, list(known.values()), source)
    return [known[film["image_id"]] for film in wanted]


def shadow_ahead(lake: Lake, source: str, day: date) -> dict[str, int]:
    """Score what arrived until a day, by the lake's protocol; returns how many films both looked at."""
    pair = pair_of(lake)
    if pair is None:
        lake.write(TABLE, [], source)
        return {"films": 0}
    return {"films": len(score_in_shadow(lake, source, day, pair, protocol_of(lake.root).windows.most_patients))}


def _new_films(
    lake: Lake, source: str, films: Sequence[Row], when: Arrived, pair: Pair, most: int
) -> Iterator[dict[str, Any]]:
    """Yield a film of each patient with the delivery that brought it: of the first new study, the first in its hash."""
    met = known_to(lake, source, pair.champion) | known_to(lake, source, pair.challenger)
    pools = pools_of(lake)
    delivery_of = {row["study_id"]: row["delivery"] for row in lake.read("arrivals", source).to_pylist()} if met else {}
    candidates = sorted(
        (delivery_of[film["study_id"]], FRONTAL_ORDER.index(film["view"]), _mark(film["image_id"]), place)
        for place, film in enumerate(films)
        if film["view"] in FRONTAL_ORDER
        and film["study_id"] in when.studies
        and film["study_id"] not in met
        and film["study_id"] in delivery_of
        and pools.get(film["patient_key"], TEST) != TEST
        and not set(film["flags"]) & set(LEFT_OUT)
    )
    taken: dict[int, int] = {}
    patients: set[str] = set()
    for delivery, _, _, place in candidates:
        film = films[place]
        if film["patient_key"] in patients or taken.get(delivery, 0) >= most:
            continue
        patients.add(film["patient_key"])
        taken[delivery] = taken.get(delivery, 0) + 1
        yield {**film, "delivery": delivery, "day": when.studies[film["study_id"]].isoformat()}


def _mark(image_id: str) -> bytes:
    return hashlib.blake2b(image_id.encode(), digest_size=8).digest()


def _looked_at(lake: Lake, source: str, films: Sequence[Row], pair: Pair) -> Iterator[dict[str, Any]]:
    """Yield what both say of films; a model that stands in both is asked once."""
    models: dict[Path, ServedModel] = {}
    folders: list[dict[str, Path]] = []
    for using in pair.sides:
        opened = served_models(using)
        folders.append({name: using.folder(name) for name in opened})
        models |= {folders[-1][name]: model for name, model in opened.items()}
    for film in films:
        image = png16.decode((lake.root / film["path"]).read_bytes())
        said = {
            folder: model.probabilities(model.look(letterbox(image, model.input.size_px)).logits[None])[None]
            for folder, model in models.items()
        }
        scores = [
            using.ensemble.predict({name: said[folder] for name, folder in mine.items()})[1][0].tolist()
            for using, mine in zip(pair.sides, folders, strict=True)
        ]
        yield {
            **{name: film[name] for name in ("image_id", "study_id", "patient_key", "delivery", "day")},
            "source": source,
            "champion": pair.names[0],
            "challenger": pair.names[1],
            "champion_scores": scores[0],
            "challenger_scores": scores[1],
        }
