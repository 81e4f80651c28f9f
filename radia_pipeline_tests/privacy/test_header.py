"""Planted identities: each tag of Table E.1-1 outside the retained options, in several guises and places."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.known import folded
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline.privacy.profile import profile_table
from radia_pipeline.privacy.rules import fault_of_age, fault_of_date, is_declared
from radia_pipeline_tests.dicom import files

POLICY = policy_of("ccsmtl")
VALUES = {
    "PN": "TREMBLAY^MARIE",
    "DA": "19540312",
    "TM": "101112",
    "DT": "19540312101112",
    "AS": "041Y",
    "UI": "1.2.3.4.5",
    "IS": "5145550134",
    "DS": "51.5",
    "CS": "TREMBLAY",
    "AE": "STATION12",
    "US": 7,
    "UL": 7,
    "SS": 7,
    "SL": 7,
    "FL": 1.5,
    "FD": 1.5,
    "UR": "http://a.b/tremblay",
    "OB": b"TREMBLAY",
    "OW": b"TREMBLAY",
    "UN": b"TREMBLAY",
    "AT": 0x00100010,
}


def findings(ds) -> list[str]:
    return [str(finding) for finding in audit(parse(files.to_bytes(ds)), POLICY)]


def clean() -> Dataset:
    return files.dataset(files.picture(1, (8, 8)))


def plant(tag: int) -> DataElement:
    vr = dictionary_VR(tag).split(" or ")[0]
    if vr == "SQ":
        item = Dataset()
        item.add_new(0x00100010, "PN", "TREMBLAY^MARIE")
        return DataElement(tag, "SQ", Sequence([item]))
    return DataElement(tag, vr, VALUES.get(vr, "TREMBLAY Marie 514-555-0134"))


def not_retained() -> list[int]:
    chosen = []
    for tag, row in profile_table().items():
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            continue
        kept = any(option in POLICY.options for option in row.options) and tag not in POLICY.retained_text
        if not (kept and vr not in ("LO", "SH", "ST", "LT", "UT", "PN", "UC", "UI", "SQ")) and tag >> 16 not in (
            0,
            2,
            4,
        ):
            chosen.append(tag)
    return chosen


def test_clean_header_has_no_finding() -> None:
    assert findings(clean()) == []


@pytest.mark.parametrize("tag", not_retained(), ids=lambda tag: f"{tag:08X}")
def test_every_tag_of_the_profile_is_found(tag: int) -> None:
    ds = clean()
    ds[tag] = plant(tag)
    assert any(f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in line for line in findings(ds))


def test_found_in_nested_sequences_and_after_the_pixels() -> None:
    inner, outer, ds = Dataset(), Dataset(), clean()
    inner.PatientName = "TREMBLAY^MARIE"
    outer.ProcedureCodeSequence = Sequence([inner])
    ds.ViewCodeSequence = Sequence([outer])
    assert "(0054,0220)>(0008,1032)>(0010,0010) not a declared pseudonym" in findings(ds)
    late = clean()
    late.add_new(0xFFFCFFFC, "OB", b"TREMBLAY MARIE  ")
    assert findings(late)


@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", "ISO_IR 144", "ISO_IR 13", "nonsense"])
def test_no_character_set_hides_a_name(charset: str) -> None:
    ds = clean()
    ds.ImageComments = "patiente Tremblay"
    data = files.to_bytes(ds).replace(b"patiente Tremblay", "Côté Émilie".encode().ljust(17))
    ds2 = parse(data)
    ds2.dataset.SpecificCharacterSet = charset
    assert any(str(finding).startswith("(0020,4000)") for finding in audit(ds2, POLICY))


def test_private_unknown_and_wrongly_typed_values() -> None:
    private = clean()
    private.private_block(0x0011, "ACME", create=True).add_new(0x10, "LO", "TREMBLAY")
    assert any("private value" in line for line in findings(private))
    unknown = clean()
    unknown.add_new(0x00181FFE, "LO", "TREMBLAY")
    assert any("unknown tag" in line for line in findings(unknown))
    disguised = clean()
    disguised.add(DataElement(0x00180060, "LO", "TREMBLAY"))
    assert any("not a value of representation DS" in line for line in findings(disguised))


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("AcquisitionDeviceProcessingDescription", "CHEST PA TREMBLAY"),
        ("Manufacturer", "TREJ 5403 1299"),
        ("PatientID", "1234567"),
        ("PatientName", "DUBOIS^ANNE"),
        ("StudyInstanceUID", "1.3.12.2.1107.5"),
        ("BurnedInAnnotation", "YES"),
        ("PatientIdentityRemoved", "NO"),
        ("DetectorID", "Tremblay"),
        ("SoftwareVersions", "call 514-555-0134"),
    ],
)
def test_retained_elements_are_still_judged(keyword: str, value: str) -> None:
    ds = clean()
    setattr(ds, keyword, value)
    assert findings(ds)


def test_findings_name_tag_and_rule_but_no_value(tmp_path) -> None:
    ds = clean()
    for tag in not_retained()[:300]:
        ds[tag] = plant(tag)
    text = " ".join(findings(ds))
    assert len(text) > 5000
    for value in ("TREMBLAY", "MARIE", "Marie", "5145550134", "514-555", "19540312", "1.2.3.4.5"):
        assert value not in text


def test_a_source_without_policy_gets_the_bare_profile() -> None:
    assert any("(0008,0020)" in str(finding) for finding in audit(parse(files.clean_file()), policy_of("padchest")))


def test_preamble_text_is_found() -> None:
    data = files.clean_file()
    assert [f.tag for f in audit(parse(b"TREMBLAY".ljust(128, b"\0") + data[128:]), POLICY)] == ["preamble"]


def test_reasons_are_those_of_the_contract() -> None:
    from radia_pipeline.contracts.location import contracts_root, read_yaml

    raw = read_yaml(contracts_root() / "quarantine.yaml")
    column = next(p for p in raw["schema"][0]["properties"] if p["name"] == "reason")
    assert set(column["quality"][0]["arguments"]["validValues"]) == reasons.REASONS


def test_tag_helper_is_sane() -> None:
    assert Tag(0x00100010) in not_retained()


@pytest.mark.parametrize("value", ["20200101\\19450101", "\\19450101", "19450101\\20200101"])
def test_every_value_of_a_date_is_judged(value: str) -> None:
    ds = clean()
    ds.add_new(0x00181200, "DA", value.split("\\"))
    found = [str(one) for one in audit(parse(files.to_bytes(ds)), replace(POLICY, first_year=2000))]
    assert any("(0018,1200)" in line for line in found)
    assert "1945" not in str(found)


def test_every_value_of_an_age_is_judged() -> None:
    assert fault_of_age(b"045Y\\095Y", replace(POLICY, refuses_old_age=True)) is not None
    assert fault_of_age(b"\\045Y", POLICY) is None


@pytest.mark.parametrize("retained", [{"modified_dates"}, {"full_dates"}, set()])
def test_dates_and_times_stay_only_where_the_profile_retains_them(retained):
    policy = replace(POLICY, options=POLICY.options - {"modified_dates", "full_dates"} | retained)
    assert (fault_of_date(b"20220202", policy) is None) == bool(retained)
    ds = clean()
    ds.StudyTime = "101112"
    found = [str(one) for one in audit(parse(files.to_bytes(ds)), policy)]
    assert any("(0008,0020)" in one for one in found) == (not retained)
    assert any("(0008,0030)" in one for one in found) == (not retained)


@pytest.mark.parametrize(
    ("value", "is_sound"),
    [
        (b"ALPHA", True),
        (b"alpha\\BETA ", True),
        (b"ALPHA\\", True),
        (b"ALPHA\\TREMBLAY", False),
        (b"TREMBLAY\\ALPHA", False),
        (b"TREMBLAY", False),
    ],
)
def test_a_declared_part_does_not_speak_for_one_beside_it(value, is_sound):
    policy = replace(POLICY, declared={0x00181020: frozenset(map(folded, ("Alpha", "Beta")))}, retained_text={})
    assert is_declared(0x00181020, value, policy) == is_sound


@pytest.mark.parametrize(
    ("keyword", "sound"),
    [
        ("ImageType", ["DERIVED", "PRIMARY"]),
        ("SoftwareVersions", ["1.0", "2.1"]),
        ("PixelSpacing", ["0.1", "0.1"]),
    ],
)
def test_every_part_of_a_value_is_judged(keyword, sound):
    ds = clean()
    setattr(ds, keyword, sound)
    assert findings(ds) == []
    for place in range(len(sound)):
        ds[keyword]._value = [*sound[:place], "TREMBLAY", *sound[place + 1 :]]
        assert findings(ds), place


@pytest.mark.parametrize(("order", "little"), [(b"II*\0", "little"), (b"MM\0*", "big")])
def test_a_preamble_is_the_head_of_a_tiff_and_nothing_behind_it(order, little):
    data = files.clean_file()

    def found(preamble: bytes) -> list[str]:
        return [one.tag for one in audit(parse(preamble.ljust(128, b"\0") + data[128:]), POLICY)]

    head = order + (8).to_bytes(4, little)
    assert found(head) == []
    assert found(order + (len(data) - 1).to_bytes(4, little)) == []
    assert found(order + len(data).to_bytes(4, little)) == ["preamble"]  # an offset behind the file
    for place in (8, 127):
        assert found(head.ljust(place, b"\0") + b"L") == ["preamble"], place
    assert found(b"II\0*" + head[4:]) == ["preamble"]
