"""Our label maps beside TorchXRayVision's, class by class, on whole published tables: writes ``docs/label_maps.md``.

TorchXRayVision brings packages that nothing else here needs, so it has an environment of its own beside this project's:
``uv venv /tmp/xrv && uv pip install --python /tmp/xrv/bin/python torchxrayvision . && /tmp/xrv/bin/python
benchmarks/label_maps.py``. Its package carries the label tables of NIH, CheXpert (train), PadChest and VinDr
(competition): each is read by its loader and by our adapter, and compared image by image. Figures are kept in
``benchmarks/results/label_maps.json``; ``--page`` writes the page again from them.
"""

# ruff: noqa: E501  (reasons stay whole)
from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from radia_pipeline.contracts.label_values import MISSING, POSITIVE, resolve
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.sources.label_map import open_classes, opened_by, targets_of

HERE = Path(__file__).resolve().parent
RESULT, PAGE = HERE / "results" / "label_maps.json", HERE.parent / "docs" / "label_maps.md"
OURS = {"Effusion": "Pleural Effusion", "Pleural_Thickening": "Pleural Other"}
"""TorchXRayVision's names that differ from ours for the class that is meant."""
DATASETS = {
    "nih_cxr14": ("NIH_Dataset", "Data_Entry_2017_v2020.csv.gz", "Data_Entry_2017_v2020.csv.gz", "Image Index"),
    "chexpert": ("CheX_Dataset", "chexpert_train.csv.gz", "train.csv.gz", "Path"),
    "padchest": (
        "PC_Dataset",
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz",
        "ImageID",
    ),
    "vindr_cxr": ("VinBrain_Dataset", "vinbigdata-train.csv.gz", "train.csv.gz", "image_id"),
}
"""Source → loader, table in the package, name under which our adapter looks for it, column that names an image."""
WHY: Mapping[tuple[str, str], str] = {
    ("nih_cxr14", "Consolidation"): "closure: Pneumonia is a consolidation in our vocabulary; these cells are `contradiction` and masked in evaluation",
    ("chexpert", "Enlarged Cardiomediastinum"): "closure from Cardiomegaly; masked in evaluation",
    ("chexpert", "Lung Opacity"): "closure from Edema, Consolidation, Pneumonia, Atelectasis and Lung Lesion; masked in evaluation",
    ("chexpert", "Consolidation"): "closure from Pneumonia; masked in evaluation",
    ("padchest", "Atelectasis"): "`volume loss` is ours as well",
    ("padchest", "Cardiomegaly"): "rows that its readers excluded are unlabelled in ours",
    ("padchest", "Consolidation"): "theirs takes `air bronchogram`; for us it leaves Consolidation open; ours adds Pneumonia by closure",
    ("padchest", "Edema"): "ours takes signs of stasis too: `kerley lines`, `vascular redistribution`, `heart insufficiency`",
    ("padchest", "Effusion"): "theirs searches substrings: `pericardial effusion` is one; ours takes `hydropneumothorax`, `empyema` and `hemothorax`, and calls blunting uncertain",
    ("padchest", "Emphysema"): "theirs searches substrings: `subcutaneous emphysema` is one; ours takes `bullas`, `hyperinflated lung` and `COPD signs`",
    ("padchest", "Fracture"): "same tokens; `vertebral compression` leaves it open",
    ("padchest", "Infiltration"): "theirs takes `consolidation`, `alveolar pattern`, `ground glass pattern` and `air bronchogram`; ours leaves Infiltration open there and takes `miliary opacities`",
    ("padchest", "Mass"): "theirs searches substrings: masses of breast, mediastinum, pleura and soft tissue; ours takes `pulmonary mass` and leaves the others open",
    ("padchest", "Nodule"): "theirs searches substrings: `pseudonodule` is one",
    ("padchest", "Pleural_Thickening"): "ours is Pleural Other: plaques too",
    ("padchest", "Pneumonia"): "",
    ("padchest", "Pneumothorax"): "theirs searches substrings, which finds `hydropneumothorax` as ours does",
    ("padchest", "Hernia"): "",
    ("vindr_cxr", "Cardiomegaly"): "theirs: one of three readers is enough; ours: half of them, fewer are uncertain",
    ("vindr_cxr", "Lung Opacity"): "as above, and closure from Atelectasis, Consolidation, Infiltration and Nodule/Mass",
}  # fmt: skip
"""Why the two differ, where they do; a class of VinDr without a line differs by the number of readers."""
VINDR = "theirs: one of three readers is enough; ours: half of them, fewer are uncertain"


def theirs(source: str, data: Path, folder: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Return images, class names and values (n, classes), NaN where masked, as TorchXRayVision reads the table."""
    import torchxrayvision as xrv

    loader, table, _, column = DATASETS[source]
    options: dict[str, Any] = {"imgpath": str(folder), "csvpath": str(data / table), "views": ["*"]}
    if source in ("nih_cxr14", "chexpert", "padchest"):
        options["unique_patients"] = False
    found = getattr(xrv.datasets, loader)(**options)
    return found.csv.reset_index()[column].astype(str).tolist(), list(found.pathologies), np.asarray(found.labels)


def ours(source: str, data: Path, folder: Path) -> dict[str, np.ndarray]:
    """Return study → value of each class (21,) as our adapter reads the same table, after closure."""
    from radia_pipeline.labels.build import combine
    from radia_pipeline.labels.table import codes_of
    from radia_pipeline.sources.registry import source as adapter

    shutil.copy(data / DATASETS[source][1], folder / DATASETS[source][2])
    table = adapter(source).labels(folder).table
    studies = table.column("native_study_id").combine_chunks().dictionary_encode()
    columns = codes_of(table.column("class"), vocabulary().classes)
    values = table.column("said").fill_null(MISSING).to_numpy().astype(np.int8)
    from collections import Counter

    rows = studies.indices.to_numpy()
    said = combine(rows, columns, values, len(studies.dictionary), Counter())
    return dict(zip(studies.dictionary.to_pylist(), resolve(said, source_sheet(source).labelled)))


def study_of(source: str, folder: Path) -> dict[str, str]:
    """Return image → study, by the table's own names."""
    from radia_pipeline.sources.chexpert import _key
    from radia_pipeline.sources.delivered_tables import find_table, read_table
    from radia_pipeline.sources.nih_cxr14 import _identifiers

    table = read_table(find_table(folder, [DATASETS[source][2].removesuffix(".gz")]))
    images = table.column(DATASETS[source][3])
    if source == "nih_cxr14":
        return dict(zip(images, _identifiers(table)[1]))
    if source == "chexpert":
        return {image: "/".join(_key(image)[:2]) for image in images}
    return dict(zip(images, table.column("StudyID") if source == "padchest" else images))


def compared(source: str, data: Path) -> dict[str, Any]:
    """Return, for each class of theirs, how many images each calls positive, and how often only one of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images, classes, values = theirs(source, data, folder)
        mine, studies = ours(source, data, folder), study_of(source, folder)
    rows = [row for row, image in enumerate(images) if studies.get(image) in mine]
    our = np.stack([mine[studies[images[row]]] for row in rows])
    found: dict[str, Any] = {"images": len(rows), "classes": {}}
    for column, name in enumerate(classes):
        own = OURS.get(name, name)
        if own not in vocabulary().classes:
            continue
        a, b = our[:, vocabulary().index(own)] == POSITIVE, values[rows, column] == 1
        counts = {"ours": a, "theirs": b, "both": a & b, "only_ours": a & ~b, "only_theirs": b & ~a}
        found["classes"][name] = {key: int(flag.sum()) for key, flag in counts.items()}
    return found


def page(result: Mapping[str, Any]) -> str:
    """Return the page: a table for each dataset, then PadChest's tokens."""
    lines = [
        "# Label maps beside TorchXRayVision's",
        "",
        f"Made by `benchmarks/label_maps.py` with torchxrayvision {result['torchxrayvision']} on the label tables that it "
        "carries; images of which each calls a class positive, ours after closure upward. Ours match whole tokens, theirs "
        "search substrings in PadChest's and NIH's lists. What differs differs on purpose.",
        "",
    ]
    for source in DATASETS:
        found = result[source]
        lines += [f"## {source_sheet(source).title}: {found['images']:,} images", ""]
        lines += [
            "| theirs | ours | positive: ours | theirs | both | only ours | only theirs | why |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name, counts in sorted(found["classes"].items()):
            differs = counts["only_ours"] or counts["only_theirs"]
            why = WHY.get((source, name), VINDR if source == "vindr_cxr" else "")
            numbers = " | ".join(f"{counts[key]:,}" for key in ("ours", "theirs", "both", "only_ours", "only_theirs"))
            lines.append(f"| {name} | {OURS.get(name, name)} | {numbers} | {why if differs else 'same'} |")
        lines.append("")
    lines += [
        "TorchXRayVision's further classes have no name in our vocabulary (Fibrosis, Granuloma, Support Devices, …); "
        "for VinDr it has no class of nodules, fractures or global diagnoses.",
        "",
        *tokens(),
    ]
    return "\n".join(lines) + "\n"


def tokens() -> list[str]:
    """Return what PadChest's sheet decides on each token that says or leaves open anything."""
    sheet = source_sheet("padchest")
    open_ = open_classes(sheet)
    lines = [
        "## PadChest, token by token",
        "",
        "Of the findings and diagnoses of the authors' tree these say something, or leave it open: nobody said that the "
        "class is absent, so it stays blank where no other token says it. All others make every class `0` that no other token "
        'names; "unchanged" beside others leaves all of them blank.',
        "",
        "| token | says | leaves open |",
        "|---|---|---|",
    ]
    for token in sorted({*map(str, sheet.label_map), *(token for token, names in open_.items() if names)}):
        entry = sheet.label_map.get(token)
        says = ", ".join(name + (" (uncertain)" if value < 0 else "") for name, value in targets_of(entry))
        left = sorted((open_.get(token, frozenset()) | opened_by(entry)) - {name for name, _ in targets_of(entry)})
        lines.append(f"| {token} | {says or '–'} | {', '.join(left) or '–'} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="write the page from the kept figures")
    if not parser.parse_args().page:
        import torchxrayvision

        data = Path(torchxrayvision.__file__).parent / "data"
        result: dict[str, Any] = {"torchxrayvision": torchxrayvision.__version__}
        for source in DATASETS:
            result[source] = compared(source, data)
            print(source, json.dumps(result[source]), flush=True)
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
