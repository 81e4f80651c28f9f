"""What is known of studies besides their labels: views, sex, age, machine, report, who read them.

Read from the tables of earlier steps; a table that has not been made leaves its facts out. Not here: figures of
subgroups (``subgroups``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, cast

import pyarrow as pa
import pyarrow.compute as pc

from radia_pipeline.lake.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

Study = tuple[str, str]
"""Source and study_id."""
EXPERT, WEAK = "expert", "weak"
EXPERT_ORIGINS = ("expert",)
"""A reading of single cells makes no study expert-read: they are chosen where labels are doubted. Complete reading sets
are a view of their own."""
AGE_BANDS = ((18, "0 to 17"), (40, "18 to 39"), (60, "40 to 59"), (80, "60 to 79"), (200, "80 and older"))
PORTABLE_VIEW = "AP"
IMAGE_COLUMNS = ("source", "study_id", "view", "patient_sex", "patient_age_years", "manufacturer", "device_model")
REPORT_SIGNS = ("is_quality_limited", "has_other_abnormality", "has_open_question", "is_signed_unread")


def study_facts(lake: Lake) -> dict[str, Mapping[Study, tuple[str, ...]]]:
    """Return {attribute: {study: its strata}}; an attribute of which a study may have several gives it several."""
    facts: dict[str, Mapping[Study, tuple[str, ...]]] = {"origin": _origins(lake)}
    if lake.partitions("images"):
        facts |= _of_images(lake.frame("images", columns=list(IMAGE_COLUMNS)))
    if lake.partitions("report_attributes"):
        columns = ["source", "study_id", "devices", *REPORT_SIGNS]
        facts |= _of_reports(lake.frame("report_attributes", columns=columns))
    return facts


def _of_images(images: pd.DataFrame) -> dict[str, dict[Study, tuple[str, ...]]]:
    by_study = images.groupby(["source", "study_id"], sort=False)
    first = by_study.first()
    views = {_study(key): tuple(sorted(set(values.dropna()))) for key, values in by_study["view"]}
    makers = first["manufacturer"].fillna("").astype(str) + " " + first["device_model"].fillna("").astype(str)
    return {
        "views": {study: (" + ".join(found),) for study, found in views.items() if found},
        "portable": {
            study: ("AP, as at the bedside" if PORTABLE_VIEW in found else "not AP",)
            for study, found in views.items()
            if found
        },
        "sex": _single(first["patient_sex"].dropna()),
        "age": {_study(key): (_band(age),) for key, age in first["patient_age_years"].dropna().items()},
        "machine": _single(makers[makers.str.strip() != ""].str.strip()),
        "images": {_study(key): (str(n) if n < 3 else "3 and more",) for key, n in by_study.size().items()},
    }


def _study(key: Hashable) -> Study:
    return cast(Study, key)  # rows are grouped by both


def _band(age: float) -> str:
    return next(name for limit, name in AGE_BANDS if age < limit)


def _single(column: pd.Series) -> dict[Study, tuple[str, ...]]:
    return {_study(key): (str(value),) for key, value in column.items()}


def _of_reports(reports: pd.DataFrame) -> dict[str, dict[Study, tuple[str, ...]]]:
    keys = list(zip(reports["source"], reports["study_id"]))
    signs: dict[str, dict[Study, tuple[str, ...]]] = {
        name: {study: ("yes" if value else "no",) for study, value in zip(keys, reports[name])} for name in REPORT_SIGNS
    }
    kinds = {study: tuple(str(value).split()) or ("none",) for study, value in zip(keys, reports["devices"])}
    return {
        f"report {name.removeprefix('is_').removeprefix('has_').replace('_', ' ')}": one for name, one in signs.items()
    } | {"devices": kinds}


def _origins(lake: Lake) -> dict[Study, tuple[str, ...]]:
    """Tell for each study whether a radiologist read it, by its labels' origin."""
    found: dict[Study, tuple[str, ...]] = {}
    for source in lake.partitions("labels"):
        labels = lake.read("labels", source, columns=["study_id", "origin"])
        read = labels.filter(pc.is_in(labels["origin"], value_set=_array(EXPERT_ORIGINS)))
        experts = set(pc.unique(read["study_id"]).to_pylist())
        for study in pc.unique(labels["study_id"]).to_pylist():
            found[source, study] = (EXPERT if study in experts else WEAK,)
    return found


def _array(values: tuple[str, ...]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.string())
