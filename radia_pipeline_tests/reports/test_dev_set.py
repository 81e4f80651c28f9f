"""Every text of the development set is read as the guide says."""

from __future__ import annotations

import json

import pytest

from radia_pipeline.reports.engine import Labeler
from radia_pipeline_tests.reports.texts import MISSED, blind_set, decode, dev_set, missed, of_these_texts

NO_FINDING = "No Finding"


def differences(text: str, want: dict[str, int | None]) -> dict[str, tuple]:
    got = of_these_texts(Labeler.default().read(text).labels)
    classes = (set(got) | set(want)) - ({NO_FINDING} if NO_FINDING not in want else set())
    return {c: (want.get(c), got.get(c)) for c in classes if want.get(c) != got.get(c)}


ALL = (*dev_set(), *blind_set())


@pytest.mark.parametrize("phenomenon", sorted({p for p, _, _ in ALL}))
def test_phenomenon_is_read_as_the_guide_says(phenomenon):
    wrong = {text: d for p, text, want in ALL if p == phenomenon and (d := differences(text, want))}
    assert not wrong


def test_what_is_missed_is_missed_still_and_nothing_denied_falls_open():
    """A text that is read as the guide says leaves the list."""
    wrong = [differences(text, want) for _, text, want in missed()]
    assert len(wrong) == len(MISSED)
    assert all(wrong)
    assert not [d for one in wrong for c, d in one.items() if d == (0, 1) and c != NO_FINDING]


def test_boxes_of_a_long_line_stand_where_its_first_one_does():
    """200 characters before a box begin inside another item, which is not the one of that box."""
    ticked = ("Fracture", "Pneumonia")
    items = {
        "Masse": "Mass", "Fracture": "Fracture", "Hernie hiatale": "Hernia", "Nodule": "Nodule", "Surcharge": "Edema",
        "Atélectasie": "Atelectasis", "Pneumothorax": "Pneumothorax", "Emphysème": "Emphysema",
        "Infiltrat": "Infiltration",
        "Épanchement pleural": "Pleural Effusion", "Condensation": "Consolidation", "Pneumonie": "Pneumonia",
        "Cardiomégalie": "Cardiomegaly", "Épaississement pleural": "Pleural Other",
    }  # fmt: skip
    before = "   ".join(f"{'☒' if name in ticked else '☐'} {item}" for item, name in items.items())
    assert len(before) > 200
    labels = Labeler.default().read(before).labels
    assert {name: labels[name] for name in items.values()} == {name: int(name in ticked) for name in items.values()}


def test_a_compound_in_capitals_goes_on_behind_its_hyphen():
    read = Labeler.default().read
    assert read("CULS-\nDE-\nSAC LIBRES.").labels["Pleural Effusion"] == 0
    assert read("MASSE-\nNODULE ABSENT.").labels["Mass"] == 1


def test_development_set_is_large_and_names_every_class():
    named = {c for _, _, want in dev_set() for c in want}
    assert len(dev_set()) >= 400
    assert len(named) == 18


def test_genuine_sentences_read_as_a_person_read_them(real_root):
    """95 % of the sentences that name a finding are right in all labels; no denied finding is called positive."""
    import csv
    from pathlib import Path

    table = Path(__file__).resolve().parents[2] / "benchmarks" / "french_reading.csv"
    path = real_root / "french" / "chest_radiograph_sentences.jsonl"
    texts = {r["id"]: r["text"] for r in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    lines, read = csv.DictReader(table.open(encoding="utf-8")), Labeler.default().read
    rows = [(decode(r["labels"]), of_these_texts(read(texts[r["id"]]).labels)) for r in lines]
    right = sum(want == got for want, got in rows)
    fallen_open = [1 for want, got in rows for c, v in want.items() if v == 0 and got.get(c) == 1 and c != NO_FINDING]
    assert right / len(rows) >= 0.95
    assert not fallen_open


def test_four_real_reports(real_root):
    import csv

    path = real_root / "ccsmtl" / "reports.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        reports = [row["report"] for row in csv.DictReader(handle)][:4]
    wanted = (
        "PE=-1 ED=0 PN=0 NF=0",
        "PE=0 EC=0 LO=1 PN=-1 NF=0",
        "CM=0 EC=0 NF=1",
        "LO=1 IN=1 PN=1 ED=-1 PE=0 CM=1 NF=0",
    )
    assert [of_these_texts(Labeler.default().read(r).labels) for r in reports] == [decode(w) for w in wanted]
