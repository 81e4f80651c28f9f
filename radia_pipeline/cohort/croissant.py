"""Croissant 1.0 metadata (mlcommons.org/croissant) of an exported manifest: the file, its hash, its columns.

``benchmarks/croissant.py`` holds what is written here against MLCommons' own validator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
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
    "@language": "en", "@vocab": "https://schema.org/", "sc": "https://schema.org/", "dct": "http://purl.org/dc/terms/",
    "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/",
    "conformsTo": "dct:conformsTo", **{term: f"cr:{term}" for term in _TERMS},
    "data": {"@id": "cr:data", "@type": "@json"}, "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}  # fmt: skip
"""The context that the specification prescribes (Croissant 1.0, appendix 1)."""


def croissant(name: str, content: bytes, columns: Sequence[str], sources: Sequence[str], lake: Lake) -> dict:
    """Return the metadata of one exported file. ``columns``: those of a table, none where the file is no table."""
    sheets = [source_sheet(source) for source in sources]
    versions = [lake.version("manifest", source) for source in sources]
    published = max(record.written_at for source in sources for record in lake.history("manifest", source)[-1:])
    file = {
        "@type": "cr:FileObject", "@id": name, "name": name, "contentUrl": name, "contentSize": f"{len(content)} B",
        "encodingFormat": _MEDIA_TYPES[name.rsplit(".", 1)[1]], "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    fields = [_field(name, column) for column in columns]
    records = [{"@type": "cr:RecordSet", "@id": "images", "name": "images", "field": fields}] if fields else []
    titles = ", ".join(sheet.title for sheet in sheets)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "radia_manifest",
        "description": f"De-identified chest radiographs with study labels, pools and boxes, from {titles}. Made from "
        + ", ".join(f"{source} {version}" for source, version in zip(sources, versions)),
        "license": [sheet.licence for sheet in sheets],
        "citeAs": " ".join(" ".join(sheet.citation.split()) for sheet in sheets),
        "version": "1.0.0",
        "datePublished": datetime.fromtimestamp(published, UTC).strftime("%Y-%m-%d"),
        "distribution": [file],
        "recordSet": records,
    }


def _field(name: str, column: str) -> dict:
    known = contract("manifest").columns.get(column)
    description = known.description if known else f"{column}, in TorchXRayVision's terms: 1, 0 or empty."
    return {
        "@type": "cr:Field", "@id": f"images/{column.replace(' ', '_')}", "name": column, "description": description,
        "dataType": _data_type(known.type if known else pa.string()),
        "source": {"fileObject": {"@id": name}, "extract": {"column": column}},
    }  # fmt: skip


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"
