"""The logical hash of rows: that of one Arrow stream that holds them all, without holding them all.

A stream (Arrow's IPC format) is its schema, a head with the lengths of all buffers, and the buffers one after the
other, column by column. The head is Arrow's own, asked for with buffers of the right lengths that nobody reads; the
buffers are made of parts of the rows, a column and a kind of buffer at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from radia_pipeline.lake.rows import Rows, TableRows

_ALIGNMENT = 8
_END = b"\xff\xff\xff\xff\0\0\0\0"
_PREFIX = 8
"""Bytes before a message's metadata: a mark and its length."""
_MOST_TEXT = (1 << 31) - 1
"""Bytes of text in a column that offsets of 32 bits reach."""


@dataclass
class _Node:
    """An array of a column's tree, with the sizes that the head tells. ``path``: which child of which child it is."""

    path: tuple[int, ...]
    kind: pa.DataType
    count: int = 0
    nulls: int = 0
    text_bytes: int = 0

    def of(self, part: pa.Array) -> pa.Array:
        """Return the node's array of a part of its column, which begins at its own first value."""
        for child in self.path:
            part = part.flatten() if pa.types.is_list(part.type) else part.field(child)
        return part

    def measure(self, part: pa.Array) -> None:
        """Add a part's sizes."""
        array = self.of(part)
        self.count, self.nulls = self.count + len(array), self.nulls + array.null_count
        if _is_text(self.kind) and len(array):
            self.text_bytes += int(_offsets(array)[-1])


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_binary(kind)


def _is_known(kind: pa.DataType) -> bool:
    """Say whether the layout of its buffers is known here; tables of earlier releases may have others (null)."""
    return _is_text(kind) or pa.types.is_primitive(kind) or pa.types.is_list(kind) or pa.types.is_struct(kind)


def _nodes(kind: pa.DataType, path: tuple[int, ...] = ()) -> list[_Node]:
    """Return the nodes of a column in the order of their buffers."""
    children = [kind.field(place).type for place in range(kind.num_fields)]
    return [_Node(path, kind), *(node for at, child in enumerate(children) for node in _nodes(child, (*path, at)))]


def _rebuilt(chunk: pa.Array) -> pa.Array:
    """Return an array whose buffers begin with it and hold nothing that is not in it."""
    return chunk.take(pa.array(np.arange(len(chunk), dtype=np.int64)))


def rows_sha256(rows: Rows) -> str:
    """Return the logical hash of rows: their schema and they themselves in their order, however they are laid out."""
    schema = rows.schema.remove_metadata()
    digest = hashlib.sha256(str(schema).encode())
    columns = {field.name: _nodes(field.type) for field in schema}
    if not all(_is_known(node.kind) for nodes in columns.values() for node in nodes):
        _hash_whole(pa.concat_tables([schema.empty_table(), *rows.parts()]), digest.update)
        return digest.hexdigest()

    def parts(name: str) -> Iterator[pa.Array]:
        for part in rows.parts([name]):
            for chunk in part.column(0).chunks:
                if len(chunk):
                    yield _rebuilt(chunk)

    for name, nodes in columns.items():
        for part in parts(name):
            for node in nodes:
                node.measure(part)
    if not rows.num_rows or any(node.text_bytes > _MOST_TEXT for nodes in columns.values() for node in nodes):
        _hash_whole(pa.concat_tables([schema.empty_table(), *rows.parts()]), digest.update)
        return digest.hexdigest()
    head, body_bytes = _head(schema, columns, rows.num_rows)
    digest.update(head)
    hashed = 0
    for name, nodes in columns.items():
        for node in nodes:
            for kind in _buffers(node):
                size = 0
                for piece in kind(node, parts(name)):
                    digest.update(piece)
                    size += len(piece)
                digest.update(bytes(-size % _ALIGNMENT))
                hashed += size + -size % _ALIGNMENT
    if hashed != body_bytes:
        raise AssertionError(f"{hashed} bytes of {body_bytes} were hashed")  # Arrow lays out otherwise than is known
    digest.update(_END)
    return digest.hexdigest()


def table_sha256(table: pa.Table) -> str:
    """Return the logical hash of a table's rows in their order, not how Parquet laid them out."""
    return rows_sha256(TableRows(table))


def _hash_whole(table: pa.Table, update: Callable[[bytes], object]) -> None:
    """Hash a stream of a whole table, whose chunks are joined and whose sliced buffers are rebuilt."""
    whole = table.replace_schema_metadata(None).combine_chunks()
    rebuilt = whole.take(pa.array(np.arange(whole.num_rows, dtype=np.int64))).combine_chunks()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rebuilt.schema) as writer:
        writer.write_table(rebuilt)
    update(sink.getvalue())


# --- the head --------------------------------------------------------------------------------------------------------
class _Sink:
    """Takes a stream with one batch: keeps what comes before its buffers, counts the rest."""

    closed = False

    def __init__(self) -> None:
        self.head, self.size = bytearray(), 0

    def write(self, data: pa.Buffer | bytes) -> int:
        """Take bytes, and look only at those of the head."""
        wanted = max(0, self._length() - self.size)
        if wanted:
            self.head += memoryview(data)[:wanted]
        self.size += len(data)
        return len(data)

    def _length(self) -> int:
        """Return how long the head is, as far as what has come tells: two messages with their prefixes."""
        length = 0
        for _ in range(2):
            if len(self.head) < length + _PREFIX:
                return length + _PREFIX
            length += _PREFIX + int.from_bytes(self.head[length + 4 : length + _PREFIX], "little")
        return length

    def flush(self) -> None:
        """Have nothing to do."""

    def close(self) -> None:
        """Have nothing to do."""


def _head(schema: pa.Schema, columns: dict[str, list[_Node]], rows: int) -> tuple[bytes, int]:
    """Return what a stream of such columns says before its buffers, and the bytes of those."""
    longest = max((max(8 * node.count, node.text_bytes) for nodes in columns.values() for node in nodes), default=0)
    nothing = pa.py_buffer(np.zeros(longest + _ALIGNMENT, dtype=np.uint8))  # the system gives no page that none reads
    arrays = [_unread(iter(nodes), nothing) for nodes in columns.values()]
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return bytes(sink.head), sink.size - len(sink.head) - len(_END)


def _unread(nodes: Iterator[_Node], nothing: pa.Buffer) -> pa.Array:
    """Return an array of a node's sizes, and of those below it, whose values are nothing."""
    node = next(nodes)
    kind, buffers = node.kind, [nothing.slice(0, -(-node.count // 8)) if node.nulls else None]
    children = [_unread(nodes, nothing) for _ in range(kind.num_fields)]
    if _is_text(kind) or pa.types.is_list(kind):
        offsets = np.zeros(node.count + 1, dtype=np.int32)
        offsets[-1] = node.text_bytes if _is_text(kind) else len(children[0])
        buffers.append(pa.py_buffer(offsets))
    if _is_text(kind):
        buffers.append(nothing.slice(0, node.text_bytes))
    elif not kind.num_fields:
        buffers.append(nothing.slice(0, -(-node.count * kind.bit_width // 8)))
    return pa.Array.from_buffers(kind, node.count, buffers, node.nulls, children=children or None)


# --- the buffers -----------------------------------------------------------------------------------------------------
def _buffers(node: _Node) -> list[Callable[[_Node, Iterator[pa.Array]], Iterator[bytes | memoryview]]]:
    """Return how each of a node's buffers is made of the parts of its column."""
    found: list[Callable[[_Node, Iterator[pa.Array]], Iterator[bytes | memoryview]]] = [_validity] if node.nulls else []
    if _is_text(node.kind):
        return [*found, _all_offsets, _text]
    if pa.types.is_list(node.kind):
        return [*found, _all_offsets]
    if pa.types.is_boolean(node.kind):
        return [*found, _booleans]
    return found if node.kind.num_fields else [*found, _numbers]


def _offsets(array: pa.Array) -> np.ndarray:
    """Return where each value of a text or list ends, counted from the array's first: int32 (n,)."""
    places = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]
    return places[1:] - places[0]


def _all_offsets(node: _Node, parts: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    so_far = 0
    yield np.zeros(1, dtype=np.int32).tobytes()
    for part in parts:
        array = node.of(part)
        if len(array):
            ends = _offsets(array) + np.int32(so_far)
            so_far = int(ends[-1])
            yield ends.tobytes()


def _text(node: _Node, parts: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    for part in parts:
        array = node.of(part)
        if len(array):
            places = np.frombuffer(array.buffers()[1], dtype=np.int32)[array.offset : array.offset + len(array) + 1]
            if places[-1] > places[0]:
                yield memoryview(array.buffers()[2])[places[0] : places[-1]]


def _numbers(node: _Node, parts: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    width = node.kind.bit_width // 8
    for part in parts:
        array = node.of(part)
        if len(array):
            yield memoryview(array.buffers()[1])[width * array.offset : width * (array.offset + len(array))]


def _validity(node: _Node, parts: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    return _packed(node.of(part).is_valid() for part in parts)


def _booleans(node: _Node, parts: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    return _packed(node.of(part).fill_null(False) for part in parts)


def _packed(arrays: Iterator[pa.Array]) -> Iterator[bytes | memoryview]:
    """Yield bits, the first the least of a byte, across the ends of parts."""
    left = np.zeros(0, dtype=np.uint8)
    for array in arrays:
        bits = np.concatenate([left, array.to_numpy(zero_copy_only=False).astype(np.uint8)])
        whole = len(bits) // 8 * 8
        yield np.packbits(bits[:whole], bitorder="little").tobytes()
        left = bits[whole:]
    if len(left):
        yield np.packbits(left, bitorder="little").tobytes()
