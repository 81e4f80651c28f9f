"""What became of a study as a Structured Report: TID 1500 of PS3.16, by highdicom. Figures with method and giver.

One group for each class (probability, threshold, how often it was so, whether it is called), one for each box of a
called class (where, which place of the body, score), one for each film that a flag stands on or that was not judged,
with the reason. Marked as research in its series' description, its qualification and a comment. Not here: which header
it gets (``filed_under``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import highdicom as hd
import numpy as np
from highdicom import sr
from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from radia_pipeline.contracts.dicom_codes import OWN, DicomCode, dicom_codes
from radia_pipeline.usecases.filed_under import uid_of
from radia_pipeline.usecases.film_marks import LEFT, Box
from radia_pipeline.usecases.filmed import Film, comment

SERIES_NUMBER = 9801
MAKER = "The RadIA developers"
PRODUCT = "RadIA pipeline"
_SIGNIFICANT = 6


def structured_report(
    head: Mapping[str, Any], study: Mapping[str, Any], films: Sequence[Film], identity: Sequence[str]
) -> Dataset:
    """Return the report of a study; one without an answer holds no figure.

    ``head``: who answers. ``identity``: what tells this report from any other; its UIDs come from it.
    """
    judged = [film for film in films if film.lack is None]
    groups: list[sr.MeasurementsAndQualitativeEvaluations | sr.PlanarROIMeasurementsAndQualitativeEvaluations]
    groups = [*_classes(head, study, judged, identity), *_boxes(head, judged, identity)] if judged else []
    groups += _doubts(films, identity)
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_observer(head)),
        procedure_reported=[codes.SCT.PlainRadiography, codes.SCT.ChestImaging],
        imaging_measurements=groups,
    )
    report[0].ContentSequence.append(
        sr.TextContentItem(
            name=concept("comment"),
            value=comment(head, study, films),
            relationship_type=sr.RelationshipTypeValues.CONTAINS,
        )
    )
    return sr.ComprehensiveSR(
        evidence=[film.data for film in films],
        content=report,
        series_instance_uid=uid_of("sr series", *identity),
        series_number=SERIES_NUMBER,
        sop_instance_uid=uid_of("sr", *identity),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=PRODUCT,
        software_versions=head["versions"]["radia"],
        device_serial_number=str(head["model"]["ensemble"])[:64],
        is_complete=True,
        is_final=False,
        series_description=f"RadIA report: {head['notice']}",
        content_qualification=hd.ContentQualificationValues.RESEARCH,
        coding_schemes=[own_scheme()],
    )


def own_scheme() -> CodingSchemeIdentificationItem:
    """Return what tells a reader whose codes 99RADIA are (PS3.3 C.12.1)."""
    own = dicom_codes().scheme
    return CodingSchemeIdentificationItem(
        OWN, name=own["name"], version=dicom_codes().version, responsible_organization=own["responsible"]
    )


def concept(name: str) -> sr.CodedConcept:
    """Return a concept of ``dicom_codes`` by name."""
    return _coded(dicom_codes().concept(name))


def _coded(code: DicomCode) -> sr.CodedConcept:
    return sr.CodedConcept(code.value, code.scheme, code.meaning)


def _observer(head: Mapping[str, Any]) -> sr.ObserverContext:
    model = head["model"]
    return sr.ObserverContext(
        codes.DCM.Device,
        sr.DeviceObserverIdentifyingAttributes(
            uid=uid_of("device", model["ensemble"], model["detector"]),
            name=PRODUCT,
            manufacturer_name=MAKER,
            model_name=f"{model['kind']}: {model['rule']} of {', '.join(model['members'])}",
            serial_number=str(model["ensemble"]),
        ),
    )


def _ensemble(head: Mapping[str, Any]) -> sr.AlgorithmIdentification:
    """Return which models gave a probability, with all that can change it."""
    model, versions = head["model"], head["versions"]
    told = [f"model {name}: {fingerprint}" for name, fingerprint in model["members"].items()]
    told += [f"{name}: {value}" for name, value in (("rule", model["rule"]), *versions.items())]
    told += [f"{name}: {model[name]}" for name in ("release", "standing", "stated_shift") if model.get(name)]
    return sr.AlgorithmIdentification(f"RadIA {model['kind']}", str(model["ensemble"]), parameters=told)


def _classes(
    head: Mapping[str, Any], study: Mapping[str, Any], films: Sequence[Film], identity: Sequence[str]
) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    names, algorithm = dicom_codes().classes, _ensemble(head)
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(row["class"], *identity),
            finding_type=_coded(names[row["class"]]),
            algorithm_id=algorithm,
            measurements=_figures(row),
            qualitative_evaluations=_evaluations(row),
            source_images=[_source(sr.SourceImageForMeasurementGroup, film.data) for film in films],
        )
        for row in (study["normal"], *study["groups"], *study["classes"])
    ]


def _figures(row: Mapping[str, Any]) -> list[sr.Measurement]:
    """Return a class's probability, the threshold, and how often a study of about this probability had it."""
    if row["probability"] is None:
        return []
    figures = [_measured("probability", row["probability"], method=concept("calibrated"))]
    if row["threshold"] is not None:
        figures.append(_measured("threshold", row["threshold"]))
    seen = row["so_far"]
    if seen is not None:
        spread = sr.MeasurementProperties(
            upper_measurement_uncertainty=_short(seen["high"] - seen["share"]),
            lower_measurement_uncertainty=_short(seen["share"] - seen["low"]),
        )
        figures.append(_measured("so_far", seen["share"], properties=spread))
    return figures


def _measured(name: str, value: float, **more: Any) -> sr.Measurement:
    return sr.Measurement(name=concept(name), value=_short(value), unit=codes.UCUM.NoUnits, **more)


def _short(value: float) -> float:
    """Return a value that a decimal string of 16 characters holds (PS3.5 6.2)."""
    return round(float(value), _SIGNIFICANT)


def _evaluations(row: Mapping[str, Any]) -> list[sr.QualitativeEvaluation]:
    said = "undetermined" if row["called"] is None else ("yes" if row["called"] else "no")
    found = [sr.QualitativeEvaluation(concept("called"), concept(said))]
    lack = {"unknown": "no_source", "unjudged": "no_threshold"}.get(row["status"])
    return found if lack is None else [*found, sr.QualitativeEvaluation(concept("figures"), concept(lack))]


def _boxes(
    head: Mapping[str, Any], films: Sequence[Film], identity: Sequence[str]
) -> list[sr.PlanarROIMeasurementsAndQualitativeEvaluations]:
    names = dicom_codes().classes
    detector = str(head["model"]["detector"])
    groups = []
    for film in films:
        for number, box in enumerate(film.boxes, 1):
            score = _measured("score", box.score, method=concept("detected"))
            groups.append(
                sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                    tracking_identifier=_tracking(
                        f"{box.class_name} box {number}", film.data.SOPInstanceUID, *identity
                    ),
                    referenced_region=_region(box, film.data),
                    finding_type=_coded(names[box.class_name]),
                    algorithm_id=sr.AlgorithmIdentification("RadIA detector", detector),
                    finding_sites=_sites(box),
                    measurements=[score],
                    geometric_purpose=codes.SCT.BoundedBy,
                )
            )
    return groups


def _region(box: Box, film: Dataset) -> sr.ImageRegion:
    left, top, right, bottom = box.corners
    around = np.array([[left, top], [right, top], [right, bottom], [left, bottom], [left, top]])
    return sr.ImageRegion(sr.GraphicTypeValues.POLYLINE, around, _source(sr.SourceImageForRegion, film))


def _sites(box: Box) -> list[sr.FindingSite] | None:
    """Return where in the body a box lies."""
    site = dicom_codes().site_of[box.class_name]
    if site is None:
        return None
    side = box.side if site.has_side else None
    laterality = None if side is None else concept("left" if side == LEFT else "right")
    return [sr.FindingSite(_coded(site.code), laterality=laterality)]


def _doubts(films: Sequence[Film], identity: Sequence[str]) -> list[sr.MeasurementsAndQualitativeEvaluations]:
    """Return a group for each film with flags, and for each that was not judged; a flag's code is its name."""
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking("flags", film.data.SOPInstanceUID, *identity),
            finding_type=concept("image_quality"),
            qualitative_evaluations=[
                sr.QualitativeEvaluation(concept(kind), sr.CodedConcept(name, OWN, name.replace("_", " ")))
                for kind, name in _said(film)
            ],
            source_images=[_source(sr.SourceImageForMeasurementGroup, film.data)],
        )
        for film in films
        if _said(film)
    ]


def _said(film: Film) -> list[tuple[str, str]]:
    """Return (concept, name) of each doubt about a film, and of why it was not judged."""
    return [*(("doubt", name) for name in film.flags), *(("no_answer", name) for name in (film.lack,) if name)]


def _source(kind: type, film: Dataset) -> Any:
    return kind(film.SOPClassUID, film.SOPInstanceUID)


def _tracking(name: str, *identity: str) -> sr.TrackingIdentifier:
    return sr.TrackingIdentifier(uid_of("tracking", name, *identity), name)
