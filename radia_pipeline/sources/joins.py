"""Whether a table is about the images beside it: most of the delivered images find a row, or the two do not belong
together.

Rows without an image are only counted: people keep parts of a dataset beside its whole table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable

from radia_pipeline.errors import BadTable

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".tif", ".tiff")
LEAST_SHARE = 0.5
"""Of the delivered images; below it the join is broken, not the delivery incomplete."""


def require_join(delivered: Iterable[str], rows: Collection[str], table: str, column: str) -> None:
    """Refuse a table in which fewer than half of the delivered images find a row.

    ``delivered``: what names each image, by which it is looked up among ``rows``. Raises BadTable with the commonest
    form of both sides: digits as 9, letters as a, each with how many follow one another.
    """
    names = list(delivered)
    found = sum(name in rows for name in names)
    if names and found < LEAST_SHARE * len(names):
        raise BadTable(
            f"{table}: only {found} of {len(names)} delivered images find a row; most images are named "
            f"{commonest_form(names)}, the table's {column} {commonest_form(rows)}",
            accepted="the table that was published with these images, with the identifiers as published",
            do="bring table and images that belong together",
        )


def is_image(path: str) -> bool:
    """Tell whether a file's name is an image's."""
    return path.lower().endswith(IMAGE_SUFFIXES)


def commonest_form(names: Collection[str]) -> str:
    """Return how most names look, without a character that tells one from another; "nothing" for none."""
    forms = Counter(_form(name) for name in names)
    return forms.most_common(1)[0][0] if forms else "nothing"


def _form(name: str) -> str:
    def run(found: re.Match[str]) -> str:
        letter = "9" if found.group()[0].isdigit() else "a"
        return f"{letter}({len(found.group())})"

    stem, dot, suffix = name.rpartition(".")
    is_known = dot and f".{suffix.lower()}" in IMAGE_SUFFIXES
    text = re.sub(r"\d+|[^\W\d_]+", run, stem if is_known else name)
    return f"{text}.{suffix}" if is_known else text
