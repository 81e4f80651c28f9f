"""The ledger of pools as a file: its form is fixed for ever, since lakes that stand go on with theirs."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from radia_pipeline.cohort.ledger import append, read_ledger
from radia_pipeline.cohort.placement import Placement, SplitPolicy
from radia_pipeline.errors import DamagedFile, LedgerDamaged
from radia_pipeline.lake.lines import LineForm, LinesFile
from radia_pipeline_tests.cohort.lakes import new_lake

POLICY = SplitPolicy(official_split="respect")
PLACED = [
    Placement("ccsmtl", f"{1:032x}", "train", 3, "hash"),
    Placement("nih_cxr14", f"{2:032x}", "test", None, "official"),
    Placement("nih_cxr14", f"{3:032x}", "validation", None, "group"),
]
WRITTEN = (
    '{"ledger":1,"policy":{"official_split":"respect","train_share":0.8,"validation_share":0.1},'
    '"~":"fa2553a612aba08c"}\n'
    '{"fold":3,"patient_key":"00000000000000000000000000000001","pool":"train","reason":"hash","source":"ccsmtl",'
    '"~":"ea0c9194951d9b6e"}\n'
    '{"fold":null,"patient_key":"00000000000000000000000000000002","pool":"test","reason":"official",'
    '"source":"nih_cxr14","~":"eab24d278a29e1e9"}\n'
    '{"fold":null,"patient_key":"00000000000000000000000000000003","pool":"validation","reason":"group",'
    '"source":"nih_cxr14","~":"54a86c14c118d6aa"}\n'
)
"""As the first release wrote the above."""


@pytest.fixture
def lake(tmp_path):
    lake = new_lake(tmp_path)
    lake.ledger_path.parent.mkdir()
    return lake


def test_a_ledger_that_stands_is_read(lake):
    lake.ledger_path.write_text(WRITTEN)
    ledger = read_ledger(lake)
    assert list(ledger.placements.values()) == PLACED
    assert ledger.policy == asdict(POLICY)


@pytest.mark.parametrize("held", range(4))
def test_a_ledger_that_stands_goes_on_to_the_byte(lake, held):
    lines = WRITTEN.splitlines(keepends=True)
    if held:
        lake.ledger_path.write_text("".join(lines[: held + 1]))
    assert append(lake, read_ledger(lake), PLACED[held:], asdict(POLICY)) == 3 - held
    assert lake.ledger_path.read_text() == WRITTEN


def test_nobody_new_leaves_the_file_alone_and_a_new_lake_keeps_its_policy(lake):
    assert append(lake, read_ledger(lake), [], asdict(POLICY)) == 0
    assert lake.ledger_path.read_text() == WRITTEN.splitlines(keepends=True)[0]
    assert append(lake, read_ledger(lake), [], asdict(POLICY)) == 0
    assert lake.ledger_path.read_text() == WRITTEN.splitlines(keepends=True)[0]


def test_a_line_that_is_sound_but_places_nobody_is_named(lake):
    lake.ledger_path.write_text(WRITTEN)
    LinesFile(lake.ledger_path, LineForm("line", dict), DamagedFile).append([{"source": "nih_cxr14"}])
    with pytest.raises(LedgerDamaged, match="line 5: it is no ledger line"):
        read_ledger(lake)
