"""A vocabulary changes while a set is being read: refused, or carried; what was answered follows its classes."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.cli.main import main
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.carried import answers_across
from radia_pipeline.readings.store import Store
from radia_pipeline_tests.labels.checkouts import Checkout
from radia_pipeline_tests.readings.worlds import OTHER, SET, STUDY, reading, with_set

IN_OLD_WORDS = {"Nodule": 0, "Mass": 1, "Lung Lesion": 0, "Hernia": 1, "Edema": 0}
STEPS = [{"merge": ["Nodule", "Mass"], "into": "Lung Lesion"}, {"retire": "Hernia"}, {"add": "Fibrosis"}]
FIBROSIS = {"name": "Fibrosis", "kind": "pathology", "parents": ["Lung Opacity"], "french": "fibrose"}
GO_ON = """
import json, sys
from radia_pipeline.errors import BadInput
from radia_pipeline.lake.lake import Lake
from radia_pipeline.readings.membership import classes_of, rows_of_set
from radia_pipeline.readings.progress import statuses
from radia_pipeline.readings.reading import Reading
from radia_pipeline.readings.store import Store
from radia_pipeline.readings.truth import build_truth

lake, set_id, study, other = Lake.open(sys.argv[1]), *sys.argv[2:]

def say(study, reader, answers):
    key = f"{reader}-{study}-{len(answers)}"
    Store(lake).append(Reading("nih_cxr14", study, reader, "blind", key, answers, tuple(answers), set_id=set_id))

try:
    say(study, "r2", {"Lung Lesion": 1, "Edema": 0, "Fibrosis": 1})
    refused = ""
except BadInput as error:
    refused = str(error)
say(study, "r2", {"Lung Lesion": 1, "Edema": 0})
for reader in ("r1", "r2"):
    say(other, reader, {"Lung Lesion": 0, "Edema": 1})
build_truth(lake)
cells = lake.read("label_truth").to_pylist()
rows = {f"{row['study_id']} {row['class']}": [row["value"], row["rule"]] for row in cells}
(status,) = statuses(lake)
print(json.dumps([refused, rows, classes_of(rows_of_set(lake, set_id)), status.is_open]))
"""


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Return a lake with a set of two studies, one of which a reader has read in the installed vocabulary."""
    made = with_set(Lake.open(tmp_path / "lake"))
    Store(made).append(reading(IN_OLD_WORDS))
    return made


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    made = Checkout(tmp_path / "checkout")
    made.change({"Nodule", "Mass", "Hernia"}, [FIBROSIS], STEPS, nih_cxr14=["Lung Lesion", "Fibrosis"])
    return made


@pytest.mark.slow
def test_the_vocabulary_does_not_change_under_an_open_set(lake, checkout):
    words = ["-m", "radia_pipeline.cli.main", "vocabulary", "migrate", "--lake", str(lake.root)]
    said = checkout.run(*words, code=2)
    assert SET in said and "--carry-open-sets" in said
    assert lake.vocabulary_version == "1.0.0"


def test_a_lake_that_speaks_the_installed_words_is_left_alone(lake, capsys):
    assert main(["vocabulary", "migrate", "--lake", str(lake.root)]) == 0
    assert "already" in capsys.readouterr().out


@pytest.mark.slow
def test_an_open_set_is_carried_and_what_was_answered_follows_its_classes(lake, checkout):
    head = Store(lake).head
    assert checkout.migrate(lake, "--carry-open-sets")["applied"] == ["the-change"]
    refused, truth, asked, is_open = json.loads(checkout.run("-c", GO_ON, str(lake.root), SET, STUDY, OTHER))
    assert "Fibrosis was not asked" in refused and "Fibrosis" not in asked and "Lung Lesion" in asked
    # What was answered as Nodule 0, Mass 1 and Lung Lesion 0 says Lung Lesion 1, and agrees with the second reader.
    assert truth == {
        f"{STUDY} Lung Lesion": [1, "agreement"],
        f"{STUDY} Edema": [0, "agreement"],
        f"{OTHER} Lung Lesion": [0, "agreement"],
        f"{OTHER} Edema": [1, "agreement"],
    }
    assert not is_open
    # The store keeps the words of the day: the chain before goes on to hold.
    assert head.sha256.encode() in lake.readings_path.read_bytes()
    assert b'"Hernia":1' in lake.readings_path.read_bytes()


def test_answers_in_the_installed_words_stay_as_they_are():
    assert answers_across(reading({"Mass": 1, "Edema": -1})) == {"Mass": 1, "Edema": -1}
    assert answers_across(reading({}, asked=("Mass",), not_assessable="quality")) == {"Mass": None}
