"""Markers of a compressed frame: which segments it holds, and whether each holds only what its standard declares.

Belongs here: which syntax is read how, padding, and text at the end of entropy-coded bits. Does not belong here: the
segments of a family (``jpeg_markers``, ``jpeg2000_markers``), size and precision of the picture and the decoding
(``dicom.codestream``, ``dicom.decode``). Nothing of a segment is copied.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from radia_pipeline.privacy import jpeg2000_markers, jpeg_markers

_JPEG = (".50", ".51", ".57", ".70")
_JPEG_LS = (".80", ".81")
_JPEG_2000 = (".90", ".91", ".92", ".93", ".201", ".202", ".203")
RLE = "1.2.840.10008.1.2.5"
_COMPRESSED = "1.2.840.10008.1.2.4"
_PADDING = (b"\0", b"\xff", b" ")
_TAIL_BYTES = 256
_TEXT = re.compile(rb"[A-Za-z^ ,]{12,}|[A-Za-z0-9^ .,=/:-]{14,}")
_LEAST_DISTINCT = 6
"""Entropy-coded bits look so at their end once in half a million frames; even areas repeat few bytes."""
_COUNTED = (".57", ".70", *_JPEG_LS)
"""The decoder's witness counts the bits of these: nothing can stand behind them."""


def listed(stream: bytes, syntax: str) -> Iterator[tuple[str, str | None]]:
    """Yield each place of a frame that can hold text, with its fault; None where only declared content stands.

    A stream whose markers lead nowhere ends the list: the decoder's witness refuses it.
    """
    family = syntax[len(_COMPRESSED) :] if syntax.startswith(_COMPRESSED) else ""
    end = None
    if family in _JPEG_2000:
        end = yield from jpeg2000_markers.listed(stream)
    elif family in (*_JPEG, *_JPEG_LS):
        end = yield from jpeg_markers.listed(stream, is_ls=family in _JPEG_LS)
    elif syntax == RLE and len(stream) >= 64:
        segments = min(int.from_bytes(stream[:4], "little"), 15)
        yield "RLE header", "bytes in unused offsets" if stream[4 + 4 * segments : 64].strip(b"\0") else None
    if end is not None:
        if family not in _COUNTED:
            yield "end of the entropy-coded bits", "text behind the picture" if _ends_in_text(stream, end) else None
        padded = is_padding(stream[end + 2 :])
        yield "end of the codestream", None if padded else "bytes behind the end marker"


def _ends_in_text(stream: bytes, end: int) -> bool:
    runs = _TEXT.finditer(stream, max(end - _TAIL_BYTES, 0), end)
    return any(len(set(run.group())) >= _LEAST_DISTINCT for run in runs)


def is_padding(rest: bytes) -> bool:
    """Tell whether what follows the end marker only makes the length even (PS3.5 A.4), or is all zeros."""
    return not rest.strip(b"\0") or not rest.strip(b"\xff") or rest in _PADDING
