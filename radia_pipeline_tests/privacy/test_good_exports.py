"""What conforming tools write is let in: coded concepts, dummies, padding, marks of tools, ages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.privacy.container import inflate, parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files

POLICY = policy_of("ccsmtl")


def findings(**tags: object) -> list[str]:
    ds = files.dataset(files.picture(1, (8, 8)), **tags)
    return [str(finding) for finding in audit(parse(files.to_bytes(ds)), POLICY)]


def concept(code: str, scheme: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, scheme, meaning
    return Sequence([item])


@pytest.mark.parametrize(
    ("code", "scheme", "meaning"),
    [
        ("399348003", "SCT", "antero-posterior"),
        ("R-10206", "SRT", "Antero-posterior"),
        ("T-D3000", "SRT", "Chest"),
        ("51185008", "SCT", "Chest"),
        ("51185008", "SCT", "Thoracic structure"),
        ("36643-5", "LN", "XR Chest 2 Views"),
        ("113681", "DCM", "Phantom"),
    ],
)
def test_coded_concepts_of_the_standard_pass(code: str, scheme: str, meaning: str) -> None:
    expected = [] if meaning != "XR Chest 2 Views" else ["(0054,0220)>(0008,0104) not a meaning of its code"]
    assert findings(ViewCodeSequence=concept(code, scheme, meaning)) == expected


@pytest.mark.parametrize(
    ("code", "scheme", "meaning"),
    [
        ("51185009", "SCT", "Chest"),
        ("LAVOIE", "SRT", "Chest"),
        ("51185008", "SCT", "Lavoie Octave"),
        ("51185008", "SCT", "Chest 19540312"),
        ("1234567", "99HOSP", "Chest"),
        ("418555", "DCM", "Octave"),
    ],
)
def test_no_person_stands_in_a_concept(code: str, scheme: str, meaning: str) -> None:
    assert findings(ViewCodeSequence=concept(code, scheme, meaning))


def test_the_method_may_be_named_by_its_code_alone() -> None:
    codes = concept("113100", "DCM", "Basic Application Confidentiality Profile")
    assert findings(DeidentificationMethod=None, DeidentificationMethodCodeSequence=codes) == []
    assert findings(DeidentificationMethod=None)
    other = concept("113105", "DCM", "Clean Descriptors Option")
    assert findings(DeidentificationMethod=None, DeidentificationMethodCodeSequence=other)


@pytest.mark.parametrize(
    "tags",
    [
        {"PatientName": "CC0001^^^^"},
        {"PatientAge": "41Y"},
        {"InstitutionName": "REMOVED"},
        {"OperatorsName": "ANONYMIZED^"},
        {"ClinicalTrialSubjectID": "CC0001"},
        {"RescaleType": "unspecified"},
        {"Manufacturer": '"GE Healthcare"'},
        {"WindowCenterWidthExplanation": ["NORMAL", "USER"]},
        {"SoftwareVersions": ["V3.1", "2.0.5"]},
        {"PatientBirthDate": "19000101"},
        {"AccessionNumber": "0"},
        {
            "DeidentificationMethod": [
                "Basic Application Confidentiality Profile",
                "Clean Pixel Data Option",
                "Retain Longitudinal Temporal Information Modified Dates Option",
            ]
        },
    ],
    ids=str,
)
def test_values_that_tools_leave_pass(tags: dict) -> None:
    expected = ["(0008,0050) Table E.1-1 Z: must be empty"] if "AccessionNumber" in tags else []
    assert findings(**tags) == expected


def test_private_values_stand_where_their_creator_and_they_are_declared() -> None:
    ds = files.dataset(files.picture(1, (8, 8)))
    ds.private_block(0x0013, "CTP", create=True).add_new(0x10, "LO", "Chest collection")
    parsed = parse(files.to_bytes(ds))
    assert [str(finding) for finding in audit(parsed, POLICY)] == [
        "(0013,0010) private value",
        "(0013,1010) private value",
    ]
    declared = replace(
        POLICY, private_creators=frozenset({"CTP"}), private_values={"CTP": frozenset({"CHEST COLLECTION"})}
    )
    assert audit(parsed, declared) == []
    for other in ({"CTP": frozenset({"OTHER"})}, {"GEMS": frozenset({"CHEST COLLECTION"})}):
        assert audit(parsed, replace(declared, private_values=other))


def test_a_tool_without_a_root_has_a_form_of_uids() -> None:
    assert findings(FrameOfReferenceUID="2.1" + "7" * 39) == []
    for uid in ("2.4185550177", "2.1" + "7" * 12, "2.1" + "7" * 40):
        assert findings(FrameOfReferenceUID=uid)


def test_an_identifier_may_be_no_dummy() -> None:
    assert findings(PatientID="ANONYMOUS")


def test_checksums_behind_deflated_data_are_no_hidden_text() -> None:
    import zlib

    plain = b"a data set" * 40
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = machine.compress(plain) + machine.flush()
    for behind in (b"", b"\0", zlib.crc32(plain).to_bytes(4, "little"), zlib.adler32(plain).to_bytes(4, "big")):
        assert inflate(packed + behind, 1 << 20) == plain
    with pytest.raises(Exception, match="behind the deflated"):
        inflate(packed + b"LAVO", 1 << 20)
