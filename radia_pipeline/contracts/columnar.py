"""Two checks done on Arrow buffers, because regular expressions and hash sets are many times slower on large tables.

Keys and dates of a fixed number of characters, and uniqueness of rows that are already in order of their key. Both
answer "holds" or "cannot tell"; the slower, general way then finds and names the rows.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIXED = re.compile(r"^\^\[(0-9a-f|0-9)\]\{(\d+)\}\$$")
_BLOCK_BYTES = 1 << 18
"""Small enough to stay in a core's cache while four passes go over it."""


def fixed_shape(pattern: str | None) -> tuple[str, int] | None:
    """Return ("0-9a-f", N) or ("0-9", N) for the pattern ``^[0-9a-f]{N}$`` or ``^[0-9]{N}$``, else None."""
    found = _FIXED.match(pattern or "")
    return (found.group(1), int(found.group(2))) if found else None


def has_fixed_shape(values: pa.ChunkedArray, shape: tuple[str, int]) -> bool:
    """Tell whether every value that is not null has the shape's number of its characters."""
    return all(_chunk_has_shape(chunk.drop_null(), *shape) for chunk in values.chunks)


def _chunk_has_shape(chunk: pa.Array, characters: str, length: int) -> bool:
    count = len(chunk)
    if count == 0:
        return True
    _, offset_buffer, data_buffer = chunk.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[chunk.offset : chunk.offset + count + 1]
    if not (np.diff(offsets) == length).all():
        return False
    codes = np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    blocks = (codes[start : start + _BLOCK_BYTES] for start in range(0, len(codes), _BLOCK_BYTES))
    return all(_are_of(block, has_letters=characters == "0-9a-f") for block in blocks)


def _are_of(codes: np.ndarray, *, has_letters: bool) -> bool:
    """Tell whether all characters are digits (or a to f); unsigned differences wrap, so one comparison is enough."""
    fits = codes - np.uint8(ord("0")) < 10
    if has_letters:
        fits |= codes - np.uint8(ord("a")) < 6
    return bool(fits.all())


def is_strictly_ordered(data: pa.Table, key: tuple[str, ...]) -> bool:
    """Tell whether each row's key is greater than the one before, so that no key can repeat; keys with nulls: False."""
    if data.num_rows < 2:
        return True
    undecided = None
    for name in key:
        column = data[name].combine_chunks()
        if column.null_count:
            return False
        before, after = column.slice(0, len(column) - 1), column.slice(1)
        less, equal = pc.less(before, after), pc.equal(before, after)
        if undecided is not None:
            less, equal = pc.or_(less, pc.invert(undecided)), pc.and_(undecided, equal)
        if not pc.all(pc.or_(less, equal)).as_py():
            return False
        undecided = equal
    return not pc.any(undecided).as_py()
