"""What nobody said is blank: tokens that leave classes open, "unchanged" beside others, headers that offer a class."""

from __future__ import annotations

from collections import Counter

import pytest

from radia_pipeline.contracts.label_values import MISSING, NEGATIVE, POSITIVE, UNCERTAIN
from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.vocabulary import vocabulary
from radia_pipeline.sources.label_map import TokenMap, targets_of
from radia_pipeline.sources.vindr_cxr import Readings, agree

SHEET = source_sheet("padchest")


def said(*tokens: str) -> dict[str, int]:
    """Return what PadChest says of one image by its tokens."""
    tokens_of = TokenMap(SHEET)
    return dict(zip(tokens_of.classes, tokens_of.said([tokens])[0][0].tolist()))


def kin(steps, start):
    """Return everything below a token."""
    found = set(steps.get(start, ()))
    return found.union(*(kin(steps, token) for token in found)) if found else found


def test_the_sheet_decides_on_every_token_of_the_tree():
    tree = {*SHEET.tree, *(token for tokens in SHEET.tree.values() for token in tokens)}
    assert len(tree) > 100
    assert tree <= {*SHEET.label_map, *SHEET.other_tokens, *SHEET.unlabelled_tokens}


def test_no_token_denies_a_class_that_the_tree_puts_above_or_below_it():
    for parent in SHEET.tree:
        for child in kin(SHEET.tree, parent):
            for token, other in ((child, parent), (parent, child)):
                for name, _ in targets_of(SHEET.label_map.get(other)):
                    assert said(token)[name] != NEGATIVE, (token, name)


@pytest.mark.parametrize("token", sorted(map(str, SHEET.label_map)))
def test_a_class_that_may_be_there_has_no_absent_parent(token):
    values = said(token)
    for name in (name for name, value in values.items() if value == MISSING):
        assert all(values.get(parent, MISSING) != NEGATIVE for parent in vocabulary().parents(name)), name


def test_a_mass_of_the_mediastinum_is_no_normal_lung_and_a_hernia_no_normal_mediastinum():
    values = said("mediastinal mass", "hiatal hernia")
    assert (values["Enlarged Cardiomediastinum"], values["Hernia"]) == (POSITIVE, POSITIVE)
    assert (values["Mass"], values["Lung Lesion"], values["Pneumonia"]) == (MISSING, MISSING, NEGATIVE)


def test_what_another_token_says_closes_an_open_class():
    assert said("mass", "pulmonary mass")["Mass"] == POSITIVE
    assert said("vertebral compression", "rib fracture")["Fracture"] == POSITIVE


def test_unchanged_beside_other_tokens_denies_nothing():
    values = said("unchanged", "cardiomegaly", "costophrenic angle blunting")
    stated = {name: value for name, value in values.items() if value != MISSING}
    assert stated == {"Cardiomegaly": POSITIVE, "Pleural Effusion": UNCERTAIN, "No Finding": NEGATIVE}
    assert set(said("unchanged", "NSG tube").values()) == {MISSING}


def test_vindrs_header_offers_a_class_whatever_other_images_hold():
    asked = frozenset({"Cardiomegaly", "Rib fracture", "Lung cyst", "Nodule/Mass", "Lung tumor"})
    image = {"R1": {"Cardiomegaly"}, "R2": {"Cardiomegaly", "Lung cyst"}}
    sheet = source_sheet("vindr_cxr")
    problems: Counter = Counter()
    alone, values = agree([Readings(asked, {"a": image})], sheet, problems)
    both = agree(
        [Readings(asked, {"a": image}), Readings(frozenset({"Pneumonia"}), {"b": {"R1": {"Pneumonia"}}})],
        sheet,
        problems,
    )[1]
    assert (alone, values[0].tolist()) == (["a"], both[0].tolist())
    found = dict(zip(sheet.labels, values[0].tolist()))
    assert (found["Cardiomegaly"], found["Fracture"], found["Pneumonia"]) == (POSITIVE, NEGATIVE, MISSING)
    assert found["Lung Lesion"] == MISSING  # one reader saw a cyst, which may be called a lesion
    assert dict(zip(sheet.labels, both[1].tolist()))["Fracture"] == MISSING
