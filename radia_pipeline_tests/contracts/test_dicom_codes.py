"""Codes fit their DICOM elements to the last character, and one that does not is refused."""

from __future__ import annotations

from copy import deepcopy

import pytest

from radia_pipeline.contracts.dicom_codes import codes_of
from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.errors import BadTable, UnknownName

CONTENT = read_yaml(contracts_root() / "dicom_codes.yaml")


def with_code(code: list[str]) -> dict:
    content = deepcopy(CONTENT)
    content["concepts"]["longest"] = code
    return content


@pytest.mark.parametrize(
    "code",
    [
        ["99RADIA", "v" * 16, "Meaning"],
        ["99RADIA", "v", "m" * 64],
        ["99RADIA", "v", "m"],
    ],
)
def test_as_many_characters_as_sh_and_lo_hold_are_taken(code):
    assert codes_of(with_code(code)).concept("longest") == tuple(code)


@pytest.mark.parametrize(
    "code",
    [
        ["99RADIA", "v" * 17, "Meaning"],
        ["99RADIA", "", "Meaning"],
        ["99RADIA", "v", "m" * 65],
        ["99RADIA", "v", ""],
        ["99RADIA", "v", "épanchement"],
        ["99RADIA", "é", "Meaning"],
    ],
)
def test_what_does_not_fit_its_element_is_refused(code):
    with pytest.raises(BadTable, match="does not fit its element"):
        codes_of(with_code(code))


def test_a_box_of_a_union_has_no_site_and_others_have_theirs():
    codes = codes_of(CONTENT)
    assert codes.site_of["Opacity"] is None
    assert codes.site_of["Cardiomegaly"].code.meaning == "Heart"
    assert not codes.site_of["Cardiomegaly"].has_side
    assert codes.site_of["Nodule"].has_side


def test_a_concept_that_is_not_there_is_named_beside_those_that_are():
    with pytest.raises(UnknownName, match="probability"):
        codes_of(CONTENT).concept("prevalence of nothing")
