"""Projection of a radiograph: PA, AP or LATERAL from the header, else from where the patient's axes point.

The rule on pixels stands in ``pixel_checks`` and is asked last; nothing here looks at the image.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from radia_pipeline.dicom.facts import text

PA, AP, LATERAL, UNKNOWN = "PA", "AP", "LATERAL", "UNKNOWN"

_BESIDE = frozenset(
    [
        "CHEST",
        "THORAX",
        "VIEW",
        "FRONTAL",
        "FACE",
        "ERECT",
        "UPRIGHT",
        "STANDING",
        "SITTING",
        "SEMI",
        "SUPINE",
        "PORTABLE",
        "PORT",
        "BEDSIDE",
        "MOBILE",
        "DEBOUT",
        "ASSIS",
        "COUCHE",
        "HORIZONTAL",
        "LEFT",
        "RIGHT",
        "LT",
        "RT",
        "L",
        "R",
        "G",
        "D",
        "GAUCHE",
        "DROIT",
        "DROITE",
    ]
)
"""Words that stand beside a projection and do not change it."""
_CORES = {
    PA: ("PA", "P A", "POSTEROANTERIOR", "POSTERO ANTERIOR", "POSTERIOR ANTERIOR"),
    AP: ("AP", "A P", "ANTEROPOSTERIOR", "ANTERO POSTERIOR", "ANTERIOR POSTERIOR"),
    LATERAL: ("LATERAL", "LAT", "LL", "RL", "LLAT", "RLAT", "PROFIL", "LATEROLATERAL", "LATERO LATERAL"),
}
_VIEWS = {core: view for view, cores in _CORES.items() for core in cores}

# PS3.16 CID 4010: SNOMED CT and SNOMED RT codes of ViewCodeSequence.
_CODES = {
    "399348003": AP,
    "R-10206": AP,
    "399173006": AP,
    "272479007": PA,
    "R-10214": PA,
    "399067008": LATERAL,
    "R-10232": LATERAL,
    "R-10236": LATERAL,
    "399198007": LATERAL,
}


def normalise(spelling: str) -> str:
    """Return PA, AP, LATERAL or UNKNOWN for one spelling of a view."""
    words = re.sub(r"[^A-Z]+", " ", spelling.upper()).split()
    core = " ".join(word for word in words if word not in _BESIDE)
    return _VIEWS.get(core, UNKNOWN)


def view_of_header(dataset: Dataset) -> tuple[str, str]:
    """Return (view, origin): origin is header, orientation or none.

    Order: ViewPosition, ViewCodeSequence, then PatientOrientation, which tells lateral from frontal (PS3.3 C.7.6.1.1.1)
    but not PA from AP: a frontal image stays UNKNOWN.
    """
    view = normalise(text(dataset, "ViewPosition"))
    if view != UNKNOWN:
        return view, "header"
    view = _of_code(dataset)
    if view != UNKNOWN:
        return view, "header"
    if is_lateral_orientation(dataset):
        return LATERAL, "orientation"
    return UNKNOWN, "none"


def _of_code(dataset: Dataset) -> str:
    try:
        item = dataset["ViewCodeSequence"].value[0]
    except (KeyError, IndexError, TypeError):
        return UNKNOWN
    return _CODES.get(text(item, "CodeValue"), UNKNOWN)


def orientation(dataset: Dataset) -> tuple[str, ...]:
    """Return PatientOrientation's two directions in capitals, empty where absent or unreadable."""
    try:
        value = dataset.get("PatientOrientation")
    except Exception:
        # pydicom's errors for an unreadable value vary; the audit judges it, the view is unknown.
        return ()
    parts = () if value in (None, "") else ((value,) if isinstance(value, str) else tuple(value))
    return tuple(str(part).strip().upper() for part in parts)


def is_lateral_orientation(dataset: Dataset) -> bool:
    """Tell whether rows run along anterior-posterior, as they do in lateral views only."""
    parts = orientation(dataset)
    return len(parts) == 2 and parts[0][:1] in ("A", "P")


def is_frontal_orientation(dataset: Dataset) -> bool:
    """Tell whether rows run along left-right."""
    parts = orientation(dataset)
    return len(parts) == 2 and parts[0][:1] in ("L", "R")
