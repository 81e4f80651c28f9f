"""What a delivery's headers propose for a policy: often seen on several patients, and nothing that could name one."""

from __future__ import annotations

from collections import Counter

import pytest

from radia_pipeline.privacy import proposal
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.policy import Policy
from radia_pipeline_tests.dicom import files

STATION, MODEL, SOP = 0x00081010, 0x00081090, 0x00080018


@pytest.mark.parametrize(
    ("uid", "root"),
    [
        ("1.2.826.0.1.3680043.8.498.7.12", "1.2.826.0.1.3680043.8.498."),
        ("1.2.3.4.5.6", "1.2.3.4.5."),
        ("1.2.3.4.5.6.7", "1.2.3.4.5."),
        ("1.2.3.4.5.6.7.8", "1.2.3.4.5.6."),
        ("1.2.3", "1.2."),
    ],
)
def test_a_root_is_what_stands_before_the_last_components_and_an_organisations_at_least(uid, root):
    assert proposal._root_of(uid) == root


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ([f"CC{n:04d}" for n in range(20)], "CC[0-9]{4,4}"),
        ([f"ST-{n}" for n in range(998, 1002)], "ST\\-[0-9]{3,4}"),
        (["CC0001", "CC0002", "CC0003"], "CC[0-9]{4,4}"),
        (["CC0001", "CC0002"], None),
        ([*(f"CC{n:04d}" for n in range(20)), "TREMBLAY"], None),
        ([*(f"CC{n:04d}" for n in range(20)), "DD0001"], None),
        ([], None),
        (["CC0001"], None),
    ],
)
def test_pseudonyms_have_one_prefix_and_a_number(said, form):
    assert proposal._form_of(Counter(said)) == form


@pytest.mark.parametrize(
    ("tag", "value", "is_free"),
    [
        (MODEL, "DR 600", True),
        (MODEL, "Definium 8000", True),
        (MODEL, "5145550134", False),
        (MODEL, "TREM 5403 1299", False),
        (MODEL, "Tremblay", False),
        (MODEL, "Tremblay Oksana", False),
        (MODEL, "x" * 300, False),
        (MODEL, "DR\x07600", False),
        (MODEL, "Brzostek Oksana", False),
        (SOP, "1.2.826.0.1.", True),
        (SOP, "1.2.3.", False),
        (SOP, "TREMBLAY.1.2.3.4", False),
    ],
)
def test_what_could_name_a_person_is_not_proposed(tag, value, is_free):
    assert (proposal._against(tag, value) is None) == is_free


def test_values_are_counted_by_files_devices_and_patients_and_rare_ones_are_not_proposed():
    delivery = proposal.Delivery(Policy(options=frozenset({"device"})))
    for number in range(40):
        said = {"ManufacturerModelName": "DR 600" if number else "DR 700", "Manufacturer": "Acme Imaging"}
        delivery.add(parse(files.clean_file(number, patient=f"CC{number:04d}", **said)))
    seen = {(one.keyword, one.value): one for one in delivery.seen()}
    common, rare = seen["ManufacturerModelName", "DR 600"], seen["ManufacturerModelName", "DR 700"]
    assert (common.files, common.patients, common.against) == (39, 39, None)
    assert (rare.files, rare.patients, rare.against) == (1, 1, "in few files")
    assert seen["PatientID", "CC[0-9]{4,4}"].files == 40
    found = proposal.additions(delivery.seen())
    assert "DR 600" in found["declared"]["ManufacturerModelName"]
    assert "DR 700" not in found["declared"]["ManufacturerModelName"]
    assert found["patients"] == ["CC[0-9]{4,4}"]
    assert any(files.ROOT.startswith(root) for root in found["uid_roots"])


def test_what_stands_on_one_patients_films_alone_is_not_proposed():
    delivery = proposal.Delivery(Policy(options=frozenset({"device"})))
    for number in range(40):
        delivery.add(parse(files.clean_file(number, ManufacturerModelName="DR 600")))
    (one,) = (one for one in delivery.seen() if one.keyword == "ManufacturerModelName")
    assert (one.files, one.patients, one.against) == (40, 1, "on one patient only")
    assert "ManufacturerModelName" not in proposal.additions([one])["declared"]
