"""Two checks done on Arrow buffers, because regular expressions and hash sets are many times slower on large tables.

Keys of fixed hexadecimal length, and uniqueness of rows that are already in order of their key. Both answer "holds" or
"cannot tell"; the slower, general way then finds and names the rows.
"""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_FIXED_HEX = re.compile(r"^\^\[0-9a-f\]\{(\d+)\}\$$")
_IS_HEX = np.zeros(256, dtype=bool)
_IS_HEX[list(b"0123456789abcdef")] = True


def hex_length(pattern: str | None) -> int | None:
    """Return N for the pattern ``^[0-9a-f]{N}$``, else None."""
    found = _FIXED_HEX.match(pattern or "")
    return int(found.group(1)) if found else None


def is_fixed_hex(values: pa.ChunkedArray, length: int) -> bool:
    """Tell whether every value that is not null has ``length`` lower-case hexadecimal digits."""
    return all(_chunk_is_hex(chunk.drop_null(), length) for chunk in values.chunks)


def _chunk_is_hex(chunk: pa.Array, length: int) -> bool:
    count = len(chunk)
    if count == 0:
        return True
    _, offset_buffer, data_buffer = chunk.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int32)[chunk.offset : chunk.offset + count + 1]
    if not (np.diff(offsets) == length).all():
        return False
    return bool(_IS_HEX[np.frombuffer(data_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]].all())


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
