"""What de-identifying tools leave, and what the gate makes of it: dicognito, deid and Orthanc run, others by rule.

Run: ``python benchmarks/deid_tools.py --tools VENV [--orthanc PROGRAM]``. VENV: a virtual environment with dicognito
and
deid of its own; PROGRAM: Orthanc's server. Files with an invented identity go through each tool; what comes out is
searched for the identity, and judged under the shipped policy with the tool's profile, then under the policy that its
own output proposes. CTP, TCIA and the RSNA Anonymizer run on Java or a desktop: their published rules are applied here.
Writes ``benchmarks/results/deid_tools.json``; exit status 1 where a file with an identity left is let in.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from radia_pipeline.contracts.location import contracts_root, read_yaml
from radia_pipeline.dicom.admission import Intake, admit
from radia_pipeline.errors import Refusal
from radia_pipeline.privacy.policy import Policy, read_policy
from radia_pipeline.privacy.profile import profile_row
from radia_pipeline.usecases.policy_proposal import propose, try_policy
from radia_pipeline_tests.dicom import files
from radia_pipeline_tests.privacy.exports import EXPOSURE, GREY, POSITION, codes

RESULT = Path(__file__).with_name("results") / "deid_tools.json"
PATIENTS = 12
WHO = ("LAVOIE", "OCTAVE", "4185550177", "418-555-0177", "19540312", "LAVO54031299", "R7741203")
"""Name, telephone, birth date, health insurance and record number of the invented patients."""
DEEP = {
    "comment": lambda ds: setattr(ds, "ImageComments", "Mme LAVOIE 418-555-0177"),
    "series description": lambda ds: setattr(ds, "SeriesDescription", "THORAX LAVOIE"),
    "private element": lambda ds: ds.private_block(0x0029, "SITE TOOLS", create=True).add_new(1, "LO", "LAVOIE^OCTAVE"),
    "model": lambda ds: setattr(ds, "ManufacturerModelName", "CXDI LAVOIE"),
    "attributes before": lambda ds: setattr(ds, "OriginalAttributesSequence", _before()),
    "protocol": lambda ds: setattr(ds, "ProtocolName", "OCTAVE"),
    "plate": lambda ds: setattr(ds, "PlateID", "R7741203"),
    "defined term": lambda ds: setattr(ds, "BodyPartExamined", "LAVOIE"),
}
"""Places that not every tool looks at."""
ANNEX_E = "Per DICOM PS 3.15 AnnexE. Details in 0012,0064"
METHOD = {"DeidentificationMethod": "Basic Application Confidentiality Profile"}
"""Orthanc writes none of its own where something is kept."""
RECIPE = """FORMAT dicom

%header

REPLACE SOPInstanceUID deid_func:pydicom_uuid
REPLACE StudyInstanceUID deid_func:pydicom_uuid
REPLACE SeriesInstanceUID deid_func:pydicom_uuid
REPLACE FrameOfReferenceUID deid_func:pydicom_uuid
REPLACE PatientID var:pseudonym
REPLACE PatientName var:pseudonym
BLANK PatientBirthDate
BLANK ReferringPhysicianName
BLANK AccessionNumber
BLANK StudyID
REMOVE InstitutionName
REMOVE StationName
REMOVE DeviceSerialNumber
REMOVE OperatorsName
REMOVE PatientAddress
REMOVE PatientTelephoneNumbers
REMOVE OtherPatientIDs
REMOVE StudyDescription
REMOVE RequestAttributesSequence
ADD PatientIdentityRemoved YES
ADD DeidentificationMethod deid
"""
RUN_DEID = """
import json, sys
from pathlib import Path
import pydicom
from deid.config import DeidRecipe
from deid.dicom import get_identifiers, replace_identifiers
source, out, recipe, names = sys.argv[1:5]
names = json.loads(Path(names).read_text())
paths = [str(path) for path in sorted(Path(source).glob("*.dcm"))]
chosen = DeidRecipe(deid=recipe) if recipe != "base" else DeidRecipe()
items = get_identifiers(paths, expand_sequences=False)
for path in paths:
    items.setdefault(path, {}).update(pseudonym=names[Path(path).name], entity_id="CC", entity_timestamp="", item_id="",
                                      item_timestamp="20200101")
done = replace_identifiers(dicom_files=paths, deid=chosen, ids=items, save=False, remove_private=True,
                           overwrite=True, strip_sequences=False)
for path, dataset in zip(paths, done):
    if "SOPInstanceUID" in dataset:
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(Path(out) / Path(path).name)
"""


def _before() -> Sequence:
    outer, inner = Dataset(), Dataset()
    inner.PatientName = "LAVOIE^OCTAVE"
    outer.ModifiedAttributesSequence, outer.SourceOfPreviousValues = Sequence([inner]), ""
    return Sequence([outer])


def identified(number: int) -> pydicom.FileDataset:
    """Return a radiograph as it lies in a hospital's archive, its patient named in the usual elements."""
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "R7741203", "R7741203"
    said = {
        "PatientName": "LAVOIE^OCTAVE",
        "PatientID": "LAVO54031299",
        "PatientBirthDate": "19540312",
        "PatientAddress": "12 rue LAVOIE",
        "PatientTelephoneNumbers": "418-555-0177",
        "OtherPatientIDs": "R7741203",
        "AccessionNumber": "R7741203",
        "StudyID": "R7741203",
        "ReferringPhysicianName": "LAVOIE^OCTAVE",
        "OperatorsName": "LAVOIE^OCTAVE",
        "InstitutionName": "Clinique LAVOIE",
        "StationName": "DXROOM2",
        "DeviceSerialNumber": "SN-4711",
        "StudyDescription": "THORAX LAVOIE",
        "StudyTime": "101112",
        "RequestAttributesSequence": Sequence([request]),
        "PatientIdentityRemoved": None,
        "DeidentificationMethod": None,
        "BurnedInAnnotation": "NO",
        "SpecificCharacterSet": "ISO_IR 100",
        **EXPOSURE,
        **POSITION,
        **GREY,
    }
    ds = files.dataset(files.picture(number, (64, 64)), number=number, **said)
    root = "1.2.124.113532.80.22."
    for last, keyword in enumerate(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")):
        setattr(ds, keyword, f"{root}19540312.{number}.{last}")
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def write_inputs(folder: Path) -> dict[str, str]:
    """Write each patient's file, and one more for each deep place; returns file name -> pseudonym."""
    names = {}
    for number in range(1, PATIENTS + len(DEEP) + 1):
        ds = identified(number)
        deep = [*DEEP.values()][number - PATIENTS - 1 : number - PATIENTS] if number > PATIENTS else []
        for plant in deep:
            plant(ds)
        name = f"{number:03d}.dcm"
        (folder / name).write_bytes(files.to_bytes(ds))
        names[name] = f"CC{number:04d}"
    return names


# --- tools that are run ----------------------------------------------------------------------------------------------
def dicognito(python: Path, source: Path, out: Path, *, names: dict[str, str] | None = None) -> None:
    """Run dicognito; with ``names`` the hospital has put its pseudonyms in first and dicognito keeps them."""
    keep = []
    if names is not None:
        source = _with_pseudonyms(source, out.with_name(f"{out.name}.in"), names)
        keep = ["--keep", "PatientName", "--keep", "PatientID"]
    _run([python, "-m", "dicognito", *keep, "--seed", "1", "-q", "-o", out, source])


def _with_pseudonyms(source: Path, folder: Path, names: dict[str, str]) -> Path:
    folder.mkdir()
    for path in sorted(source.glob("*.dcm")):
        ds = pydicom.dcmread(path)
        ds.PatientName = ds.PatientID = names[path.name]
        ds.ReferringPhysicianName = ds.PatientBirthDate = ""
        for keyword in (
            "AccessionNumber",
            "StudyID",
            "OperatorsName",
            "InstitutionName",
            "StationName",
            "OtherPatientIDs",
            "PatientAddress",
            "DeviceSerialNumber",
            "RequestAttributesSequence",
            "StudyDescription",
            "PatientTelephoneNumbers",
        ):
            if keyword in ds:
                delattr(ds, keyword)
        ds.save_as(folder / path.name)
    return folder


def deid(python: Path, source: Path, out: Path, names: dict[str, str], *, recipe: str | None = None) -> None:
    """Run deid with its own base recipe, or with one that a hospital would write."""
    listed, chosen = out.with_name(f"{out.name}.json"), out.with_name(f"{out.name}.recipe")
    listed.write_text(json.dumps(names))
    chosen.write_text(recipe or "")
    _run([python, "-c", RUN_DEID, source, out, chosen if recipe else "base", listed])


def orthanc(program: Path, source: Path, out: Path, names: dict[str, str], *, keeps: bool) -> None:
    """Run Orthanc's /anonymize on each study: as it is, or with the hospital's pseudonyms and what it retains."""
    with _server(program, out.with_name(f"{out.name}.db")) as post:
        for path in sorted(source.glob("*.dcm")):
            study = json.loads(post("/instances", path.read_bytes()))["ParentStudy"]
            asked: dict[str, object] = {"DicomVersion": "2021b", "Force": True}
            if keeps:
                asked["Replace"] = {"PatientName": names[path.name], "PatientID": names[path.name]} | METHOD
                asked["Keep"] = ["PatientSex", "PatientAge", "Manufacturer", "ManufacturerModelName", "StudyDate"]
            made = json.loads(post(f"/studies/{study}/anonymize", json.dumps(asked).encode()))["ID"]
            for instance in json.loads(post(f"/studies/{made}/instances", None)):
                (out / path.name).write_bytes(post(f"/instances/{instance['ID']}/file", None))


@contextlib.contextmanager
def _server(program: Path, folder: Path) -> Iterator[Callable[[str, bytes | None], bytes]]:
    folder.mkdir()
    with socket.socket() as probe, socket.socket() as other:
        probe.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        port, dicom_port = probe.getsockname()[1], other.getsockname()[1]
    settings = {
        "StorageDirectory": str(folder),
        "HttpPort": port,
        "DicomPort": dicom_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
        "OverwriteInstances": True,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [program, folder / "settings.json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def ask(path: str, body: bytes | None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    try:
        for _ in range(100):
            with contextlib.suppress(OSError):
                ask("/system", None)
                break
            time.sleep(0.2)
        yield ask
    finally:
        process.terminate()
        process.wait(30)


def _run(words: list[object]) -> None:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise SystemExit(f"{words[0]} failed: {done.stderr[-800:]}")


# --- tools by their published rules ----------------------------------------------------------------------------------
def by_rules(source: Path, out: Path, names: dict[str, str], *, root: str, method: str, marks: dict[str, str]) -> None:
    """Apply the actions of PS3.15 Table E.1-1 as the published scripts do: remove, empty, new UIDs, marks of the tool.

    Groups that are private go; comments and descriptions go; makers, dates, age and sex stay (their options).
    """
    for path in sorted(source.glob("*.dcm")):
        ds = pydicom.dcmread(path)
        ds.remove_private_tags()
        _act(ds, root)
        ds.PatientName = ds.PatientID = names[path.name]
        ds.PatientBirthDate = ds.AccessionNumber = ds.StudyID = ds.ReferringPhysicianName = ""
        ds.PatientIdentityRemoved, ds.DeidentificationMethod = "YES", method
        ds.DeidentificationMethodCodeSequence = codes("113100", "113105", "113107", "113108", "113109")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        for keyword, value in marks.items():
            setattr(ds.file_meta, keyword, value)
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, ds, enforce_file_format=False)
        (out / path.name).write_bytes(buffer.getvalue())


def _act(ds: Dataset, root: str) -> None:
    for element in list(ds):
        row = profile_row(int(element.tag))
        if element.VR == "UI" and not str(element.value).startswith("1.2.840.10008."):
            element.value = (root + str(int(hashlib.sha256(str(element.value).encode()).hexdigest()[:30], 16)))[:64]
        elif element.VR == "SQ" and (row is None or "X" not in row.basic):
            for item in element.value:
                _act(item, root)
        elif row is not None and element.VR not in ("UI",) and not _kept(row.options):
            del ds[element.tag]


def _kept(options: object) -> bool:
    return bool(set(options) & {"device", "modified_dates", "patient_characteristics"})


RULES = {
    "ctp": {
        "root": "1.2.840.113654.2.70.1.",
        "method": "CTP: based on DICOM PS3.15 AnnexE. Details in 0012,0064",
        "marks": {
            "ImplementationClassUID": "1.2.40.0.13.1.1.1",
            "ImplementationVersionName": "dcm4che-1.4.35",
            "SourceApplicationEntityTitle": "CTP",
        },
    },
    "tcia": {
        "root": "1.3.6.1.4.1.14519.5.2.1.7009.2403.",
        "method": ANNEX_E,
        "marks": {"ImplementationClassUID": "1.2.40.0.13.1.1.1", "ImplementationVersionName": "dcm4che-1.4.35"},
    },
    "rsna": {"root": "1.2.826.0.1.3680043.10.474.104.", "method": "RSNA DICOM ANONYMIZER", "marks": {}},
}


# --- judging ---------------------------------------------------------------------------------------------------------
def policy_with(profile: str, folder: Path) -> Policy:
    """Return the shipped policy of the hospital with one tool's profile alone."""
    raw = read_yaml(contracts_root() / "sources" / "ccsmtl_deid.yaml")
    raw["profiles"] = [profile]
    path = folder / f"{profile}.yaml"
    path.write_text(json.dumps(raw))
    return read_policy(path)


def scored(out: Path, profile: str, folder: Path) -> dict[str, object]:
    """Count a tool's outputs: with an identity left or without, let in or refused; and under the proposed policy."""
    policy, counts, why = policy_with(profile, folder), Counter(), Counter()
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        data = path.read_bytes()
        left = any(word.encode() in data for word in WHO)
        try:
            admit(data, Intake(replace(policy)))
            counts["left_and_let_in" if left else "clean_and_let_in"] += 1
        except Refusal as refusal:
            counts["left_and_refused" if left else "clean_and_refused"] += 1
            if not left:
                why.update([str(refusal)])
    proposed = folder / f"{out.name}.proposed.yaml"
    propose([out], "ccsmtl", proposed)
    trial = try_policy([out], proposed)
    return {
        "outputs": sum(counts.values()),
        **dict(sorted(counts.items())),
        "let_in_as_proposed": trial.passed,
        "clean_refused_because": dict(why.most_common(4)),
    }


def versions(python: Path, program: Path | None) -> dict[str, str]:
    """Name the tools that are run, with their versions and licences."""
    code = "from importlib.metadata import version as v; print(v('dicognito'), v('deid'))"
    cognito, other = subprocess.check_output([python, "-c", code], text=True).split()
    found = {"dicognito": f"{cognito} (MIT)", "deid": f"{other} (MIT)"}
    if program is not None:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
        found["orthanc"] = f"{said[said.index('Orthanc') + 1] if 'Orthanc' in said else said[1]} (GPL-3.0-or-later)"
    return found


def main() -> int:
    """Run each tool, judge what comes out, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--orthanc", type=Path)
    given = parser.parse_args()
    if given.tools is None:
        print("No --tools: nothing was run and the kept result stays")
        return 0
    warnings.simplefilter("ignore")
    python, found = given.tools / "bin" / "python", {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "identified"
        source.mkdir()
        names = write_inputs(source)
        ways: dict[str, tuple[str, Callable[[Path], None]]] = {
            "dicognito": ("dicognito", lambda out: dicognito(python, source, out)),
            "dicognito, pseudonyms kept": ("dicognito", lambda out: dicognito(python, source, out, names=names)),
            "deid, base recipe": ("deid", lambda out: deid(python, source, out, names)),
            "deid, a hospital's recipe": ("deid", lambda out: deid(python, source, out, names, recipe=RECIPE)),
        }
        for tool, rules in RULES.items():
            ways[f"{tool}, by its rules"] = (tool, lambda out, rules=rules: by_rules(source, out, names, **rules))
        if given.orthanc is not None:
            for said, keeps in (("orthanc", False), ("orthanc, pseudonyms and device kept", True)):
                ways[said] = (
                    "orthanc",
                    lambda out, keeps=keeps: orthanc(given.orthanc, source, out, names, keeps=keeps),
                )
        for number, (said, (profile, run)) in enumerate(ways.items()):
            out = folder / f"out{number}"
            out.mkdir()
            run(out)
            found[said] = scored(out, profile, folder)
        result = {"tools": versions(python, given.orthanc), "inputs": len(names), "ways": found}
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return int(any(one.get("left_and_let_in") for one in found.values()))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())
