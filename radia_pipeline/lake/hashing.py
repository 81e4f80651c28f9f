"""Hashes of contents: files, pixels and tables. Keyed hashes of identities are in ``keys``."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa

_ROWS = 64


def pixel_sha256(pixels: np.ndarray) -> str:
    """Return the SHA-256 over shape and stored values, whatever integer type or byte order carried them.

    ``pixels``: integer array of stored values as decoded, before any grey-scale step, any shape.
    """
    digest = hashlib.sha256(repr(tuple(int(n) for n in pixels.shape)).encode())
    rows = pixels if pixels.ndim > 1 else pixels.reshape(1, -1)
    for at in range(0, len(rows), _ROWS):
        # A few rows at a time stay in the processor's cache; the whole, widened to 4 bytes, would not.
        digest.update(np.ascontiguousarray(rows[at : at + _ROWS], dtype="<i4"))
    return digest.hexdigest()


def table_sha256(table: pa.Table) -> str:
    """Return a logical hash of a table: its schema and its rows in their order, not how Parquet laid them out.

    Chunks are joined and sliced buffers rebuilt first, so that equal rows give equal bytes.
    """
    digest = hashlib.sha256(str(table.schema.remove_metadata()).encode())
    sink = pa.BufferOutputStream()
    whole = table.replace_schema_metadata(None).combine_chunks()
    rebuilt = whole.take(pa.array(np.arange(whole.num_rows, dtype=np.int64))).combine_chunks()
    with pa.ipc.new_stream(sink, rebuilt.schema) as writer:
        writer.write_table(rebuilt)
    digest.update(sink.getvalue())
    return digest.hexdigest()
