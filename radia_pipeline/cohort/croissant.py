"""Croissant 1.0 metadata (mlcommons.org/croissant) of an exported manifest: the file, its hash, its columns.

``benchmarks/croissant.py`` holds what is written here against MLCommons' own validator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from radia_pipeline.contracts.sheets import source_sheet
from radia_pipeline.contracts.tables import contract
from radia_pipeline.lake.lake import Lake

_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/x-parquet", "json": "application/json"}
_TERMS = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "dct": "http://purl.org/dc/terms/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo",
    **{term: f"cr:{term}" for term in _TERMS},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
"""The context that the specification prescribes (Croissant 1.0, appendix 1)."""


@dataclass(frozen=True)
class DataFile:
    """The exported file: name, bytes and hash."""

    name: str
    size: int
    sha256: str


def croissant(file: DataFile, record_sets: Sequence[dict], sources: Sequence[str], lake: Lake, lost: str) -> dict:
    """Return the metadata of one exported file. ``lost``: what its format cannot hold, for people."""
    sheets = [source_sheet(source) for source in sources]
    versions = [lake.version("manifest", source) for source in sources]
    published = max(record.written_at for source in sources for record in lake.history("manifest", source)[-1:])
    described = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": file.name,
            "contentSize": f"{file.size} B",
            "encodingFormat": _MEDIA_TYPES[file.name.rsplit(".", 1)[1]],
            "sha256": file.sha256,
        }
        for name in dict.fromkeys(field["source"]["fileObject"]["@id"] for one in record_sets for field in one["field"])
    ]
    titles = ", ".join(sheet.title for sheet in sheets)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "radia_manifest",
        "description": f"De-identified chest radiographs with study labels, pools and boxes, from {titles}. Made from "
        + ", ".join(f"{source} {version}" for source, version in zip(sources, versions))
        + f". What this format loses: {lost}",
        "license": [sheet.licence for sheet in sheets],
        "citeAs": " ".join(" ".join(sheet.citation.split()) for sheet in sheets),
        "version": "1.0.0",
        "datePublished": datetime.fromtimestamp(published, UTC).strftime("%Y-%m-%d"),
        "distribution": described,
        "recordSet": list(record_sets),
    }


def record_set(name: str, file: str, fields: Mapping[str, Mapping[str, str]]) -> dict:
    """Return a record set of one file. ``fields``: field → how it is extracted, by column or by JSONPath.

    ``file``: its id in the description. Readers take all fields of one id for columns of one table, so that lists of a
    file that are not as long have ids of their own.
    """
    rows = [_field(name, file, field, extract) for field, extract in fields.items()]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": rows}


def _field(records: str, file: str, field: str, extract: Mapping[str, str]) -> dict:
    known = contract("manifest").columns.get(field) if records == "images" else None
    description = known.description if known else f"{field}, in the terms of the format."
    kind = known.type if known else _TYPES.get(field, pa.string())
    return {
        "@type": "cr:Field",
        "@id": f"{records}/{field.replace(' ', '_')}",
        "name": field,
        "description": description,
        "dataType": _data_type(kind),
        "source": {"fileObject": {"@id": file}, "extract": dict(extract)},
    }


_TYPES = {
    **dict.fromkeys(("id", "image_id", "category_id"), pa.int64()),
    **dict.fromkeys(("x", "y", "width", "height", "area"), pa.float64()),
}


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
