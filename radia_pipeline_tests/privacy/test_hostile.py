"""No file with an identity beside its pixels is let in, wherever it hides; the files it was made from are."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom._dicom_dict import DicomDictionary

from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.dicom.decode import stored_values
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy import reasons
from radia_pipeline.privacy.container import parse
from radia_pipeline.privacy.header import audit
from radia_pipeline.privacy.jpeg_markers import listed
from radia_pipeline.privacy.policy import policy_of
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy import exports, hostile, hostile_codestreams, making

INTAKE = Intake(policy_of("ccsmtl"))
WHERE = {"container": hostile.CONTAINER, "header": hostile.HEADER, "codestream": hostile_codestreams.CODESTREAM}
SYNTAXES = (making.LOSSLESS, making.LS, making.BASELINE, making.J2K, making.HT)
TEXTS = (b"LAVOIE OCTAVE", b"4185550177", b"1954-03-12", b"LAVO54031299")
SAID = {
    "PN": (b"LAVOIE^OCTAVE",),
    "DA": (b"19540312",),
    "DT": (b"19540312101112",),
    "TM": (b"LAVOIE",),
    "AS": (b"OCTA",),
    "UI": (b"1.2.124.4185550177",),
    "IS": (b"4185550177", b"LAVOIE"),
    "DS": (b"4185550177", b"LAVOIE"),
    "CS": (b"LAVOIE", b"4185550177"),
    "AE": (b"LAVOIE",),
    "AT": (b"LAVO",),
    "US": (b"LAVOIE",),
    "SS": (b"LAVOIE",),
    "UL": (b"NGUY", struct.pack("<I", 4185550177)),
    "SL": (b"NGUY", struct.pack("<i", 418555017)),
    "FL": (b"NGUY", struct.pack("<f", 4185550177.0)),
    "FD": (b"LAVOIE O", struct.pack("<d", 4185550177.0)),
    "UV": (b"LAVOIE O",),
    "SV": (b"LAVOIE O",),
}
MEANS_THE_FILE = {reasons.BROKEN_CONTAINER, reasons.TRUNCATED, reasons.DECODE_FAILED, reasons.LYING_HEADER}
pytestmark = pytest.mark.filterwarnings("ignore")


def refused(data: bytes) -> str | None:
    try:
        admitted = admit(data, INTAKE)
        stored_values(admitted.parsed, admitted.facts)
    except Refusal as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("where", WHERE)
def test_no_identity_passes(where: str) -> None:
    """All places of a kind at once: what passes is named."""
    found = {name: refused(make()) for name, make in WHERE[where].items()}
    assert [name for name, reason in found.items() if reason is None] == []
    accused = [reason for reason in found.values() if reason == reasons.IDENTITY_IN_HEADER]
    assert set(found.values()) <= MEANS_THE_FILE | {reasons.IDENTITY_IN_HEADER, reasons.NOT_A_RADIOGRAPH}
    assert len(accused) > len(found) / 2


@pytest.mark.slow
def test_no_element_of_the_standard_takes_an_identity() -> None:
    """Each public element outside the pixels with a name, a telephone or a birth date in its own representation."""
    passed, tried = [], 0
    for tag, (representations, *_) in DicomDictionary.items():
        if tag >> 16 in (0x0002, 0x7FE0, 0xFFFE):
            continue
        for vr in set(representations.split(" or ")) - {"SQ", "NONE", ""}:
            for value in SAID.get(vr, TEXTS):
                tried += 1
                if not _found(making.put(tag, vr.encode(), value)):
                    passed.append(f"{tag:08X} {vr}")
    assert passed == []
    assert tried > 8000


def bases() -> dict[str, tuple[bytes, int]]:
    """Return sound files, and where the last byte stands that is neither of a native nor of a coded picture."""
    rich = exports.export(**exports.EXPOSURE, **exports.POSITION, **exports.GREY)
    implicit = files.clean_file(1, syntax=files.NATIVE[1])
    found = {"explicit": (rich, parse(rich).pixel_span[0]), "implicit": (implicit, parse(implicit).pixel_span[0])}
    for syntax in SYNTAXES:
        data, is_2000 = making.framed(syntax, [making.frame(syntax)]), syntax in (making.J2K, making.HT)
        start = parse(data).pixel_span[0]
        found[syntax] = (data, data.index(b"\xff\x93" if is_2000 else b"\xff\xda", start) + 2)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("text", [b"LAVOIE O", b"octave l", b"NGUYEN", b"Zoe Yale"])
def test_letters_in_the_place_of_any_bytes_before_the_picture_pass_nowhere(text: bytes) -> None:
    passed = [
        f"{name} at {at}"
        for name, (data, end) in bases().items()
        for at in range(end - len(text))
        if refused(data[:at] + text + data[at + len(text) :]) is None
    ]
    assert passed == []


def _found(data: bytes) -> bool:
    try:
        return bool(audit(parse(data), INTAKE.policy))
    except Refusal:
        return True


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_the_frames_that_were_used_are_sound(syntax: str) -> None:
    assert refused(making.framed(syntax, [making.frame(syntax)])) is None


@pytest.mark.parametrize("quality", [30, 75, 92, 100])
def test_code_tables_made_for_a_picture_pass(quality: int) -> None:
    """Encoders that optimise write tables of their own, whose letters stand in order."""
    for seed in range(12):
        noisy = np.random.default_rng(seed).normal(0, 2 * seed, (192, 160)) + files.picture(seed, (192, 160), 8)
        held = BytesIO()
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        picture.save(held, "JPEG", quality=quality, optimize=True)
        faults = [fault for _, fault in listed(held.getvalue(), is_ls=False) if fault]
        assert faults == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: making.CLEAN,
        lambda: making.put(0x00189073, b"FD", b"\0" * 6 + b"\xf0\x3f"),
        lambda: making.put(0x00200052, b"UI", b"1.2.840.10008.1.4.1.1"),
        lambda: making.with_tags(SoftwareVersions="2019.03.12"),
        lambda: making.with_tags(ImageType=["DERIVED", "PRIMARY", "", "RT", "", "", "", "", "150000"]),
        lambda: making.meta_element(0x00020012, b"1.2.276.0.7230010.3.0.3.6.7"),
    ],
)
def test_their_sound_siblings_pass(make: Callable[[], bytes]) -> None:
    assert refused(make()) is None
