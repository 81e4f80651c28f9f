"""Messages between processes: frames of JSON and raw arrays, so that nothing which arrives is ever unpickled.

A frame is a prefix (mark, bytes of JSON, bytes of arrays), then JSON ``[body, [[type, shape], …]]``, then the arrays
one after the other, in C order, little-endian. Here: the form, its caps and its refusal (BadFrame).
Not here: sockets (``channel``) and what a message means.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from radia_pipeline.errors import BadFrame

_MARK = b"RAD1"
_PREFIX = struct.Struct("<4sIQ")
TYPES = frozenset(
    np.dtype(kind).newbyteorder("<").str
    for kind in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)
"""Truth values and plain numbers; objects, text and records cannot cross."""
MAX_ARRAYS, MAX_DIMENSIONS, MAX_SIDE = 64, 8, 2**31
_ENCODER, _DECODER = json.JSONEncoder(separators=(",", ":")), json.JSONDecoder()


@dataclass(frozen=True)
class Caps:
    """What one frame may hold at most, in bytes; the receiver refuses more before it makes room for it."""

    json_bytes: int = 4 << 20
    array_bytes: int = 1 << 30


CAPS = Caps()


@dataclass(slots=True, eq=False)
class Frame:
    """One message. ``body``: what JSON can hold, NaN and infinities too; ``arrays``: numbers and truth values."""

    body: Any
    arrays: tuple[np.ndarray, ...] = ()


def encode(frame: Frame, caps: Caps = CAPS) -> bytes:
    """Return a frame's bytes; raises BadFrame where it holds more than the caps or something that cannot cross."""
    arrays = [_sendable(array) for array in frame.arrays]
    try:
        described = [[array.dtype.str, list(array.shape)] for array in arrays]
        head = _ENCODER.encode([frame.body, described]).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadFrame(f"A message whose body is not JSON ({type(error).__name__})") from None
    payload = sum(array.nbytes for array in arrays)
    _check_sizes(len(head), payload, len(arrays), caps)
    return b"".join([_PREFIX.pack(_MARK, len(head), payload), head, *(array.tobytes() for array in arrays)])


def _sendable(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    little = array.dtype.newbyteorder("<")
    if little.str not in TYPES:
        raise BadFrame(f"An array of type {array.dtype}", accepted=", ".join(sorted(TYPES)))
    if array.ndim > MAX_DIMENSIONS:
        raise BadFrame(f"An array of {array.ndim} dimensions", accepted=f"at most {MAX_DIMENSIONS}")
    return array.astype(little, copy=False)


def _check_sizes(head: int, payload: int, arrays: int, caps: Caps) -> None:
    if head > caps.json_bytes or payload > caps.array_bytes or arrays > MAX_ARRAYS:
        raise BadFrame(
            f"A message of {head} bytes of JSON and {payload} bytes in {arrays} arrays",
            accepted=f"{caps.json_bytes}, {caps.array_bytes} and {MAX_ARRAYS} at most",
        )


def decode(data: bytes, caps: Caps = CAPS) -> Frame:
    """Return the one frame that these bytes are; raises BadFrame for anything else."""
    decoder = Decoder(caps)
    decoder.feed(data)
    frame = decoder.next()
    decoder.end()
    if frame is None:
        raise BadFrame("No message")
    return frame


class Decoder:
    """Puts frames together from bytes as they come in; raises BadFrame as soon as they cannot be one."""

    def __init__(self, caps: Caps = CAPS) -> None:
        self._caps = caps
        self._buffer = bytearray()
        self._sizes: tuple[int, int] | None = None

    def feed(self, data: bytes) -> None:
        """Add what came in."""
        self._buffer += data

    def next(self) -> Frame | None:
        """Return the next whole frame; None while bytes are missing."""
        if self._sizes is None and len(self._buffer) >= _PREFIX.size:
            self._sizes = self._read_prefix()
        if self._sizes is None or len(self._buffer) < sum(self._sizes):
            return None
        (head, payload), self._sizes = self._sizes, None
        described, content = self._buffer[:head], self._buffer[head : head + payload]
        del self._buffer[: head + payload]
        return _frame_of(described, content)

    def _read_prefix(self) -> tuple[int, int]:
        mark, head, payload = _PREFIX.unpack_from(self._buffer)
        if mark != _MARK:
            raise BadFrame("Bytes that do not begin a message")
        _check_sizes(head, payload, 0, self._caps)
        del self._buffer[: _PREFIX.size]
        return head, payload

    def end(self) -> None:
        """Say that nothing more will come; raises BadFrame in the middle of a frame."""
        if self._buffer or self._sizes is not None:
            raise BadFrame("A message that was cut")


def _frame_of(described: bytearray, content: bytearray) -> Frame:
    try:
        text = described.decode("ascii")
        head, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):  # a decoding error is a ValueError too, and so is a number of 5,000 digits
        raise BadFrame("A message whose head is not JSON") from None
    if not (end == len(text) and isinstance(head, list) and len(head) == 2 and isinstance(head[1], list)):
        raise BadFrame("A message whose head is not of the agreed form")
    return Frame(head[0], _arrays_of(head[1], content) if head[1] or content else ())


def _arrays_of(described: list[Any], content: bytearray) -> tuple[np.ndarray, ...]:
    if len(described) > MAX_ARRAYS:
        raise BadFrame(f"A message with {len(described)} arrays", accepted=f"at most {MAX_ARRAYS}")
    kinds = [_kind_of(one) for one in described]
    sizes = [kind.itemsize * math.prod(shape) for kind, shape in kinds]
    if sum(sizes) != len(content):
        raise BadFrame("A message whose arrays are not of the size that it names")
    ends = itertools.accumulate(sizes)
    return tuple(
        _array_of(content[end - size : end], kind, shape)
        for (kind, shape), size, end in zip(kinds, sizes, ends, strict=True)
    )


def _kind_of(described: Any) -> tuple[np.dtype, tuple[int, ...]]:
    """Check one array's type and shape as the head describes it."""
    name, shape = described if isinstance(described, list) and len(described) == 2 else (None, None)
    if not (
        isinstance(name, str) and name in TYPES and isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    ) or not all(type(side) is int and 0 <= side < MAX_SIDE for side in shape):
        raise BadFrame("An array of a type or shape that cannot cross", accepted=", ".join(sorted(TYPES)))
    return np.dtype(name), tuple(shape)


def _array_of(content: bytearray, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if kind == np.bool_:  # any other byte than 0 and 1 would be a truth value that is neither true nor false
        return np.asarray(_array_of(content, np.dtype("u1"), shape) != 0)
    try:
        return np.frombuffer(content, kind).reshape(shape)
    except ValueError:  # sides of which one is 0 and whose product is beyond what an index can name
        raise BadFrame("An array of a shape that cannot be") from None
