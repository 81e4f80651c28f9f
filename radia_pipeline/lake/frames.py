"""Tables as pandas frames: the lake's outer door, for notebooks, counts and pivots.

Inside the house tables are pyarrow's. Tables as they were delivered never come this way: pandas would guess at their
ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame whose values are the table's: text stays text, and a null makes no float of integers.

    Text is pandas' ``str``, integers and booleans are its nullable types (``Int8``, ``boolean``); floats are numpy's,
    with NaN for null; lists are objects. An empty table has the same types.
    """
    import pandas as pd

    kinds: dict[pa.DataType, object] = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(na_value=float("nan")),
    }
    return table.to_pandas(types_mapper=kinds.get)
