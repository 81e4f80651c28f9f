"""A name planted beside the elements and in codestreams reaches nothing that the ingest writes."""

from __future__ import annotations

from pathlib import Path

from pydicom.encaps import encapsulate

from radia_pipeline.dicom.ingest import ingest_images
from radia_pipeline.lake.keys import Pseudonymizer
from radia_pipeline.lake.lake import Lake
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy import test_every_byte as planted
from radia_pipeline_tests.privacy.test_markers import segment

NAMES = (b"LAVOIE", b"OCTAVE", b"4185550177", "LAVOIE".encode("utf-16-le"))


def in_codestream(syntax: str) -> bytes:
    ds = files.dataset(files.picture(1), syntax=syntax)
    stream = files.stream(files.picture(1), syntax, 12)
    at = 2 if syntax != files.JPEG_2000 else 4 + int.from_bytes(stream[4:6], "big")
    code = 0xFE if syntax != files.JPEG_2000 else 0x64
    ds.PixelData = encapsulate([stream[:at] + segment(code, b"\0\1LAVOIE^OCTAVE 4185550177") + stream[at:]])
    return files.to_bytes(ds)


def test_hidden_identities_are_quarantined_and_nowhere_in_the_lake(tmp_path: Path, capfd) -> None:
    delivery = files.Delivery(tmp_path / "delivery")
    contents = [*planted.PLANTED.values(), *map(in_codestream, (files.LOSSLESS[1], files.JPEG_LS, files.JPEG_2000))]
    for number, content in enumerate(contents):
        delivery.put(f"{number:03d}.dcm", content)
    lake = Lake.open(tmp_path / "lake")
    found = ingest_images(delivery, delivery.root, lake, Pseudonymizer(b"k" * 32), ocr="off", workers=1)
    assert (found.found, found.ingested, found.quarantined) == (len(contents), 0, len(contents))
    assert set(found.reasons) <= {"identity_in_header", "broken_container"}
    shown = capfd.readouterr()
    written = [path.read_bytes() for path in lake.root.rglob("*") if path.is_file()]
    details = str(lake.read("quarantine", "ccsmtl").to_pydict()).encode()
    for content in (*written, details, shown.out.encode(), shown.err.encode()):
        assert not any(name in content.upper() for name in NAMES)


def test_the_picture_of_a_file_that_is_refused_now_goes(tmp_path: Path) -> None:
    delivery, lake = files.Delivery(tmp_path / "delivery"), Lake.open(tmp_path / "lake")
    for number in (1, 2):
        delivery.put(f"{number}.dcm", files.clean_file(number))
    for _ in range(2):
        ingest_images(delivery, delivery.root, lake, Pseudonymizer(b"k" * 32), ocr="off", workers=1)
        pictures = sorted(lake.pixels_dir.rglob("*.png"))
        delivery.put("2.dcm", files.clean_file(2, ImageComments="Mme Lavoie"))
    assert len(pictures) == 1
    assert [lake.root / path for path in lake.read("images", "ccsmtl")["path"].to_pylist()] == pictures
