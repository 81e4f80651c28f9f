"""A model leaves the house: its files for another program, and a card that says what they are. Nobody's data goes out.

The card holds classes, preprocessing, thresholds, calibration, versions, licences of what it learned from and what it
is for: facts of tables and of the models' own cards. Not here: the files of networks (``evaluation.network_files``).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.errors import BadInput, MissingTable, RadiaError
from radia_pipeline.evaluation.ensemble import Ensemble, best_cuts
from radia_pipeline.evaluation.export_formats import FORMATS
from radia_pipeline.evaluation.in_use import InUse, in_use
from radia_pipeline.evaluation.panel import ENSEMBLE, read_panel
from radia_pipeline.lake import atomic
from radia_pipeline.lake.lake import Lake
from radia_pipeline.training.choices import CHANNELS
from radia_pipeline.training.identity import NETWORK_KEY, VERSION_KEY
from radia_pipeline.training.inputs import CLAHE_CLIPS, CLAHE_TILES, normalisation
from radia_pipeline.training.model_folders import latest_model, learned_sources, read_card
from radia_pipeline.training.outcome import library_versions
from radia_pipeline.training.recipe_schema import InputSection, Recipe
from radia_pipeline.training.recipes import parse_recipe
from radia_pipeline.usecases.answers import NOTICE

CARD, PAGE = "card.json", "README.md"
USE = (
    "A second look at frontal and lateral chest radiographs, by people who can judge it; to compare, to pre-train, to "
    "study. Not for diagnosis, triage or any decision on a patient. Judge it on data of your own first: thresholds and "
    "calibration are those of the validation pool that it was chosen on."
)


@dataclass(frozen=True)
class Exported:
    """What was written: the folder, the format, the members in it."""

    path: Path
    form: str
    kind: str
    members: tuple[str, ...]
    files: tuple[str, ...]


def export_model(lake: Lake, name: str, form: str, out: Path) -> Exported:
    """Write a recipe's newest model, or under the name ``ensemble`` what answers in the lake, to an empty folder.

    The card is written last: with it the export is whole. Raises BadInput (the folder holds something, a format that
    cannot hold this network), UnknownName, NotTrained, and RunFailed where the written files answer otherwise.
    """
    from radia_pipeline.training.inference import load_classifier

    write, out = FORMATS[form], Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BadInput("The folder to export to holds something already", do="name a new or an empty one")
    using = in_use(lake) if name == ENSEMBLE else None
    folders = {one: using.folder(one) for one in using.ensemble.used_members} if using else {}
    folders = folders or {name: latest_model(lake, name)}
    cards = {one: read_card(folder) for one, folder in folders.items()}
    recipes = {one: parse_recipe(card["recipe"]) for one, card in cards.items()}
    members = {one: (recipes[one], load_classifier(folder)) for one, folder in folders.items()}
    out.mkdir(parents=True, exist_ok=True)
    try:
        written = write(members, using.ensemble if using else None, out)
    except BaseException:  # half an export is none; the folder was empty
        shutil.rmtree(out)
        raise
    shifts = {one: classifier.prior_shift.tolist() for one, (_, classifier) in members.items()}
    card = {
        "name": name,
        "kind": using.kind if using else "recipe",
        "format": form,
        "intended_use": f"{NOTICE}. {USE}",
        "classes": _classes(*_decision(lake, name, using)),
        "decision": _rule(using),
        "thresholds": "the best F1 on the validation pool; null: no positive study there",
        "members": [_member(one, folders[one].name, cards[one], recipes[one], shifts[one]) for one in folders],
        "data": _data(lake, folders),
        "vocabulary": vocabulary().version,
        "versions": {"exported_with": library_versions()},
        "written": written,
    }
    files = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    atomic.write_text(out / PAGE, _page(card))
    atomic.write_text(out / CARD, json.dumps(card, indent=1, ensure_ascii=False) + "\n")
    return Exported(out, form, card["kind"], tuple(folders), (*files, PAGE, CARD))


def _decision(lake: Lake, name: str, using: InUse | None) -> tuple[np.ndarray | None, Ensemble | None]:
    """Thresholds (21,) and the ensemble; of a recipe those of its own answers on validation, where there are any."""
    if using:
        return using.ensemble.thresholds, using.ensemble
    try:
        panel = read_panel(lake, name)
    except MissingTable:
        return None, None
    return best_cuts(panel.probability, panel.label), None


def _classes(cuts: np.ndarray | None, ensemble: Ensemble | None) -> list[dict[str, Any]]:
    words, found = vocabulary(), []
    for k, name in enumerate(words.classes):
        cut = None if cuts is None or not np.isfinite(cuts[k]) else float(cuts[k])
        one: dict[str, Any] = {"name": name, "parents": list(words.parents(name)), "threshold": cut}
        if ensemble:
            fit = ensemble.calibrations[k]
            one["calibration"] = {
                "method": fit.method,
                "a": fit.a,
                "b": fit.b,
                "knots": list(fit.knots),
                "shares": list(fit.shares),
            }
        found.append(one)
    return found


def _rule(using: InUse | None) -> dict[str, Any] | None:
    if using is None:
        return None
    ensemble = using.ensemble
    return {
        "rule": ensemble.rule,
        "members": list(ensemble.members),
        "used": list(ensemble.used_members),
        "parameters": ensemble.combination.parameters.tolist(),
        "coherence": ensemble.way,
        "ensemble_version": using.ensemble_version,
        "release": using.release,
        "standing": using.standing,
    }


def _member(name: str, fingerprint: str, card: Mapping[str, Any], recipe: Recipe, shift: list) -> dict[str, Any]:
    return {
        "recipe": name,
        "title": recipe.title,
        "model": fingerprint,
        "backbone": recipe.model.backbone,
        "head": recipe.model.head,
        "views": recipe.views.model_dump(mode="json"),
        "inference": recipe.task.inference,
        "prior_shift": shift,
        "input": _input(recipe.input),
        "manifest_versions": card["manifest_versions"],
        "versions": {key: card.get(key) for key in (VERSION_KEY, NETWORK_KEY, "made_with", "recipe_hash")},
    }


def _input(section: InputSection) -> dict[str, Any]:
    mean, deviation = (part.tolist() for part in normalisation(section))
    planes = CHANNELS[section.channels]
    steps = [
        "one grey plane, bright where dense (MONOCHROME2)",
        f"the longest side to {section.size_px} px, aspect kept (by area where it shrinks)",
        "least value 0, greatest 1",
        "in the middle of a black square",
        f"{planes.count} plane(s): {planes.words}" + (f", tiles {CLAHE_TILES}" if planes.count > 1 else ""),
        "less mean, over deviation, plane by plane; a view that is absent is all zeros and not present",
    ]
    return {
        **section.model_dump(mode="json"),
        "mean": mean,
        "deviation": deviation,
        "steps": steps,
        "clahe_clips": list(CLAHE_CLIPS) if planes.count > 1 else [],
    }


def _data(lake: Lake, folders: Mapping[str, Path]) -> list[dict[str, str]]:
    found = []
    for source in sorted(set().union(*(learned_sources(lake, folder) for folder in folders.values()))):
        try:
            sheet = source_sheet(source)
        except RadiaError:
            found.append({"source": source, "title": source, "licence": "not on record", "citation": ""})
            continue
        found.append(
            {
                "source": source,
                "title": sheet.title,
                "licence": sheet.licence.strip(),
                "citation": sheet.citation.strip(),
            }
        )
    return found


def _page(card: Mapping[str, Any]) -> str:
    """Return the card in short for a person, Markdown."""
    members = "\n".join(
        f"- {one['recipe']}: {one['backbone']}, {one['head']} head, {one['input']['size_px']} px"
        for one in card["members"]
    )
    data = "\n".join(f"- {one['title']}: {one['licence']}" for one in card["data"])
    return (
        f"# {card['name']}, {card['kind']}\n\n{card['intended_use']}\n\n"
        f"Format {card['format']}; {len(card['classes'])} classes, vocabulary {card['vocabulary']}. `{CARD}` holds "
        f"the classes with thresholds and calibration, the steps from a picture to the input, and every version.\n\n"
        f"## Members\n\n{members}\n\n## Learned from\n\n{data}\n\nThe terms of these data bind who uses the weights.\n"
    )
