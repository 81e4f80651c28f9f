"""Projection of a radiograph: PA, AP or LATERAL from the header, else from where the patient's axes point.

The rule on pixels stands in ``pixel_checks``; nothing here looks at the image.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from radia_pipeline.dicom.facts import text

PA, AP, LATERAL, UNKNOWN = "PA", "AP", "LATERAL", "UNKNOWN"

_SPELLINGS = {
    PA: ("PA", "POSTEROANTERIOR", "POSTERO ANTERIOR", "POSTERIOR ANTERIOR", "P A", "PA ERECT", "ERECT PA", "PA CHEST", "CHEST PA",
         "PA UPRIGHT", "PA THORAX", "THORAX PA", "FRONTAL PA", "PA VIEW", "FACE PA"),
    AP: ("AP", "ANTEROPOSTERIOR", "ANTERO POSTERIOR", "ANTERIOR POSTERIOR", "A P", "AP SUPINE", "SUPINE AP", "AP PORTABLE",
         "PORTABLE AP", "AP ERECT", "ERECT AP", "AP HORIZONTAL", "AP CHEST", "CHEST AP", "AP SITTING", "AP UPRIGHT", "AP BEDSIDE",
         "AP VIEW", "AP COUCHE"),
    LATERAL: ("LATERAL", "LL", "RL", "LAT", "LLAT", "RLAT", "LEFT LATERAL", "RIGHT LATERAL", "L LATERAL", "R LATERAL", "LATERAL L",
              "LATERAL R", "LAT L", "LAT R", "L LAT", "R LAT", "LAT LEFT", "LAT RIGHT", "LATERAL LEFT", "LATERAL RIGHT", "LT LATERAL", "RT LATERAL",
              "LLDEC", "PROFIL", "PROFIL G", "PROFIL D", "PROFIL GAUCHE", "PROFIL DROIT", "CHEST LATERAL", "LATERAL CHEST", "CHEST LAT", "THORAX LATERAL",
              "LATEROLATERAL", "LATERO LATERAL", "LAT CHEST"),
}  # fmt: skip
_VIEWS = {spelling: view for view, spellings in _SPELLINGS.items() for spelling in spellings} | {"LLDEC": UNKNOWN}

# PS3.16 CID 4010: SNOMED CT and SNOMED RT codes of ViewCodeSequence.
_CODES = {
    "399348003": AP, "R-10206": AP, "272479007": PA, "399173006": AP, "R-10214": PA, "399067008": LATERAL, "R-10232": LATERAL, "R-10236": LATERAL,
    "399198007": LATERAL,
}  # fmt: skip


def normalise(spelling: str) -> str:
    """Return PA, AP, LATERAL or UNKNOWN for one spelling of a view."""
    words = " ".join(re.sub(r"[^A-Z]+", " ", spelling.upper()).split())
    return _VIEWS.get(words, UNKNOWN)


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
