"""No generated file is stale: each is what its source says today. ``make generated`` rewrites them."""

from __future__ import annotations

import json
import shutil

import pytest

from radia_pipeline.contracts.class_lists import follow_vocabulary
from radia_pipeline.errors import ContractViolation
from radia_pipeline_tests import generated
from radia_pipeline_tests.generated import FILES, PROMISES, ROOT
from radia_pipeline_tests.house_picture import FLOORS, WAY
from radia_pipeline_tests.test_architecture import HOUSE


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_what_its_source_says(name):
    assert (ROOT / name).read_text(encoding="utf-8") == FILES[name](), "run `make generated`, read the difference"


def test_the_picture_of_the_house_has_every_room_in_its_order():
    assert tuple(room for _, rooms in FLOORS for room in rooms) == HOUSE
    assert set(WAY) < set(HOUSE)


def test_the_class_lists_of_the_contracts_follow_the_vocabulary(tmp_path):
    contracts = tmp_path / "data_contracts"
    shutil.copytree(ROOT / "data_contracts", contracts)
    assert follow_vocabulary(contracts) == []


@pytest.fixture
def copy(tmp_path):
    """Return a copy of everything that is generated, as it lies here."""
    shutil.copytree(ROOT / "data_contracts", tmp_path / "data_contracts")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_what_is_stale_or_gone_is_rewritten_and_nothing_else(copy):
    assert generated.write(copy) == []
    stale, gone = sorted(FILES)[:2]
    (copy / stale).write_text("edited by hand\n")
    (copy / gone).unlink()
    assert generated.write(copy) == [stale, gone]
    assert (copy / stale).read_bytes() == (ROOT / stale).read_bytes()
    assert (copy / gone).read_bytes() == (ROOT / gone).read_bytes()


def test_a_promise_is_not_broken_in_silence(tmp_path, monkeypatch):
    kept = json.loads((ROOT / PROMISES).read_text(encoding="utf-8"))
    kept["labels"]["columns"]["value"]["type"] = "string"
    (tmp_path / PROMISES).parent.mkdir(parents=True)
    (tmp_path / PROMISES).write_text(json.dumps(kept))
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    with pytest.raises(ContractViolation, match=r"labels: column value was string.*major version"):
        generated.promises()
    kept["labels"]["version"] = "0.9.0"
    (tmp_path / PROMISES).write_text(json.dumps(kept))
    assert json.loads(generated.promises())["labels"]["columns"]["value"]["type"] == "int8"
