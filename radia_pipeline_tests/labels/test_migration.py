"""A lake crosses a migration of the vocabulary: in a copy of the checkout whose vocabulary a maintainer has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import radia_pipeline
from radia_pipeline.cohort.splits import build_splits
from radia_pipeline.contracts.location import contracts_root
from radia_pipeline.labels.migration import migrate_lake
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.cohort.lakes import KEYS, image_row, new_lake, put_images, put_labels

STUDIES = {
    "s1": ("p1", {"Nodule": 1, "Lung Lesion": 1, "Mass": 0, "Hernia": 0, "Pneumonia": 0}),
    "s2": ("p2", {"Nodule": 0, "Mass": 0, "Hernia": 1}),
    "s3": ("p3", {"No Finding": 1, "Nodule": 0, "Mass": 0, "Hernia": 0}),
}
READ = """
import json, sys
from radia_pipeline.lake.lake import Lake
lake = Lake.open(sys.argv[1])
rows = lake.read("labels", sys.argv[2]).to_pylist()
has_boxes = lake.exists("box_annotations", "nih_cxr14")
boxes = lake.read("box_annotations", "nih_cxr14")["class"].to_pylist() if has_boxes else []
print(json.dumps([lake.vocabulary_version, lake.exists("evaluation_sets"), boxes,
                  [[row["study_id"], row["class"], row["said"], row["value"], row["origin"]] for row in rows]]))
"""


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Return a lake with labels and pools of two sources and boxes of one, in the installed vocabulary."""
    made = new_lake(tmp_path)
    for source in ("nih_cxr14", "chexpert"):
        put_images(made, source, [image_row(source, name, person) for name, (person, _) in STUDIES.items()])
        put_labels(made, source, STUDIES)
    build_splits(made)
    made.write("evaluation_sets", [])
    box = {"source": "nih_cxr14", "study_id": KEYS.study_id("nih_cxr14", "s1"), "x_px": 0.0, "y_px": 0.0,
           "image_id": KEYS.image_id("nih_cxr14", "s1"), "width_px": 9.0, "height_px": 9.0, "reader": "nih",
           "origin": "nih"}  # fmt: skip
    boxes = [{**box, "class": name, "box_index": index} for index, name in enumerate(["Nodule", "Hernia", "Pneumonia"])]
    made.write("box_annotations", boxes, "nih_cxr14")
    return made


class Checkout:
    """A copy of package and contracts, and Python processes that run in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        package = Path(radia_pipeline.__file__).parent
        shutil.copytree(package, folder / "radia_pipeline", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        shutil.copytree(contracts_root(), folder / "data_contracts")

    def change(self, drop: set[str], add: list[dict], steps: list[dict], **sheets: dict) -> None:
        """Write a migration as a maintainer does, and let the tool bring the contracts in line."""
        self._edit("vocabulary.yaml", lambda words: words.update(
            version="2.0.0",
            classes=[one for one in words["classes"] if one["name"] not in drop] + add,
            migrations=[{"name": "the-change", "from": "1.0.0", "to": "2.0.0", "reason": "a test", "steps": steps}],
        ))  # fmt: skip
        for path in (self.root / "data_contracts" / "sources").glob("*.yaml"):
            self._edit(f"sources/{path.name}", lambda sheet: self._follow(sheet, drop, sheets))
        self.run("-m", "radia_pipeline.cli.main", "vocabulary", "contracts")

    def _edit(self, name: str, change) -> None:
        path = self.root / "data_contracts" / name
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")

    @staticmethod
    def _follow(sheet: dict, drop: set[str], sheets: dict) -> None:
        if "labels" in sheet:
            sheet["labels"] = [name for name in sheet["labels"] if name not in drop] + sheets.get(sheet["source"], [])
            sheet["labels"] = list(dict.fromkeys(sheet["labels"]))

    def run(self, *arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-W", "ignore", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    def migrate(self, lake: Lake) -> dict:
        refusal = self.run("-m", "radia_pipeline.cli.main", "tables", "show", "--lake", str(lake.root), code=2)
        assert "the-change" in refusal and "radia vocabulary migrate" in refusal
        return json.loads(
            self.run("-m", "radia_pipeline.cli.main", "vocabulary", "migrate", "--json", "--lake", str(lake.root))
        )

    def read(self, lake: Lake, source: str = "nih_cxr14") -> tuple[dict, list]:
        """Return (study, class) → (said, value, origin) and the boxes' classes; the lake must speak version 2."""
        version, has_sets, boxes, rows = json.loads(self.run("-c", READ, str(lake.root), source))
        assert (version, has_sets) == ("2.0.0", False)
        name_of = {KEYS.study_id(source, name): name for name in STUDIES}
        return {(name_of[study], name): tuple(rest) for study, name, *rest in rows}, boxes


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path / "checkout")


def test_merged_classes_carry_their_findings_over_and_a_retired_one_goes(lake, checkout):
    splits = lake.version("splits")
    steps = [{"merge": ["Nodule", "Mass"], "into": "Lung Lesion"}, {"retire": "Hernia"}]
    checkout.change({"Nodule", "Mass", "Hernia"}, [], steps, nih_cxr14=["Lung Lesion"])
    result = checkout.migrate(lake)
    assert result["applied"] == ["the-change"]
    assert result["migrated"] == ["box_annotations/nih_cxr14", "labels/chexpert", "labels/nih_cxr14"]
    assert result["rebuild"] == ["evaluation_sets/all"]
    assert result["rows_of_retired_classes"] == 1
    labels, boxes = checkout.read(lake)
    assert len(labels) == 3 * 18
    assert labels["s1", "Lung Lesion"] == (1, 1, "table")
    assert labels["s1", "Lung Opacity"] == (None, 1, "closure")
    assert labels["s2", "Lung Lesion"] == (None, None, "none")  # nothing said of it but that its parts are absent
    assert labels["s3", "Lung Lesion"] == (None, 0, "no_finding")
    assert not {name for _, name in labels} & {"Nodule", "Mass", "Hernia"}
    assert boxes == ["Lung Lesion", "Pneumonia"]
    assert lake.version("splits") == splits


def test_an_added_class_is_unknown_or_its_labels_are_made_again(lake, checkout):
    new = {"name": "Fibrosis", "kind": "pathology", "parents": ["Lung Opacity"], "french": "fibrose"}
    checkout.change(set(), [new], [{"add": "Fibrosis"}], nih_cxr14=["Fibrosis"])
    version = lake.version("labels", "nih_cxr14")
    result = checkout.migrate(lake)
    assert result["migrated"] == ["labels/chexpert"]  # which does not label the class
    assert result["rebuild"] == ["box_annotations/nih_cxr14", "evaluation_sets/all", "labels/nih_cxr14"]
    labels, _ = checkout.read(lake, "chexpert")
    assert len(labels) == 3 * 22
    assert labels["s1", "Fibrosis"] == (None, None, "none")
    assert lake.read_version("labels", "nih_cxr14", version).num_rows == 63  # the version stays


def test_a_lake_that_speaks_the_installed_version_is_left_alone(lake):
    before = lake.versions("labels")
    assert migrate_lake(lake).applied == ()
    assert lake.versions("labels") == before
