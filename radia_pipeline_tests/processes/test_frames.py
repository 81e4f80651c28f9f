"""What crosses between processes: a frame arrives as it was sent, and nothing else ever passes for one."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from radia_pipeline.errors import BadFrame
from radia_pipeline.processes.channel import Channel
from radia_pipeline.processes.frames import MAX_ARRAYS, MAX_DIMENSIONS, TYPES, Caps, Decoder, Frame, decode, encode

bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\udcff"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
arrays = st.sampled_from(sorted(TYPES)).flatmap(
    lambda kind: of_numpy.arrays(kind, of_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
frames = st.builds(Frame, bodies, st.lists(arrays, max_size=3).map(tuple))


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a):
        return math.isnan(b)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b


@given(frames)
def test_a_frame_arrives_as_it_was_sent(frame):
    arrived = decode(encode(frame))
    assert same(frame.body, arrived.body)
    assert len(frame.arrays) == len(arrived.arrays)
    for sent, got in zip(frame.arrays, arrived.arrays, strict=True):
        assert (sent.dtype, sent.shape, sent.tobytes()) == (got.dtype, got.shape, got.tobytes())
        assert got.flags.writeable


@given(st.lists(frames, min_size=1, max_size=3), st.integers(1, 40))
def test_frames_come_one_after_the_other_however_the_stream_is_cut(sent, step):
    stream, decoder, got = b"".join(map(encode, sent)), Decoder(), []
    for at in range(0, len(stream), step):
        decoder.feed(stream[at : at + step])
        while (frame := decoder.next()) is not None:
            got.append(frame)
    decoder.end()
    assert same([frame.body for frame in sent], [frame.body for frame in got])


def test_other_orders_of_bytes_and_of_axes_arrive_as_ours():
    big = np.arange(6, dtype=">i4").reshape(2, 3).T
    (got,) = decode(encode(Frame(None, (big,)))).arrays
    assert got.dtype == np.dtype("<i4")
    np.testing.assert_array_equal(got, big)


@given(frames, st.data())
def test_a_cut_frame_is_refused(frame, data):
    whole = encode(frame)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(BadFrame):
        decode(whole[:cut])


@settings(max_examples=300)
@given(frames, st.data())
def test_a_damaged_frame_is_refused_or_is_a_frame_all_the_same(frame, data):
    damaged = bytearray(encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(damaged))
    except BadFrame:
        return
    assert isinstance(found, Frame)


@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_are_no_frame(data):
    with pytest.raises(BadFrame):
        decode(data)


def test_what_is_to_be_one_frame_is_neither_none_nor_more():
    for data in (b"", encode(Frame(1)) * 2):
        with pytest.raises(BadFrame):
            decode(data)


def framed(head: bytes, content: bytes = b"") -> bytes:
    return struct.pack("<4sIQ", b"RAD1", len(head), len(content)) + head + content


@given(st.binary(max_size=60), st.binary(max_size=16))
def test_random_heads_are_refused_or_frames(head, content):
    with contextlib.suppress(BadFrame):
        assert isinstance(decode(framed(head, content)), Frame)


DESCRIPTIONS = [
    "not a list",
    [["O", [1]]],
    [["|O8", [1]]],
    [["<U4", [1]]],
    [["<c8", [1]]],
    [[">i4", [2]]],
    [["|i1", [8, -1]]],
    [["|i1", [True] * 8]],
    [["|i1", ["8"]]],
    [["|i1", [8.0]]],
    [["|i1"]],
    [{"type": "|i1"}],
    [["|i1", [7]]],
    [["|i1", [9]]],
    [["|i1", [8]], ["|i1", [1]]],
    [["|i1", [0, 2**30, 2**30, 2**30]]],
    [["|i1", [2**64]]],
    [["|i1", [1] * (MAX_DIMENSIONS + 1)]],
    [["|i1", [1]]] * (MAX_ARRAYS + 1),
    [[["|i1"], [8]]],
    None,
]


@pytest.mark.parametrize("described", DESCRIPTIONS, ids=lambda value: json.dumps(value)[:40])
def test_arrays_that_are_not_as_described_are_refused(described):
    with pytest.raises(BadFrame):
        decode(framed(json.dumps([None, described]).encode(), bytes(8)))


@pytest.mark.parametrize(
    "head",
    [b"", b"[]", b"[1]", b"[1, [], 1]", b'{"body": 1}', b"[1, {}]", b"[" * 100_000, b"9" * 10_000, b"[\xff, []]"],
    ids=lambda head: head[:12].decode("latin-1"),
)
def test_heads_of_another_form_are_refused(head):
    with pytest.raises(BadFrame):
        decode(framed(head))


def test_more_than_the_caps_is_refused_before_it_has_come():
    caps = Caps(json_bytes=100, array_bytes=100)
    for head, payload in ((101, 0), (1, 101), (2**32 - 1, 2**64 - 1)):
        with pytest.raises(BadFrame, match=r"Accepted: 100, 100"):
            decode(struct.pack("<4sIQ", b"RAD1", head, payload), caps)
    for frame in (Frame("x" * 101), Frame(None, (np.zeros(101, np.int8),)), Frame(None, (np.zeros(0),) * 65)):
        with pytest.raises(BadFrame):
            encode(frame, caps)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(object()),
        Frame({1, 2}),
        Frame(b"bytes"),
        Frame({(1, 2): 3}),
        Frame(np.float32(1)),
        Frame(None, (np.array(["text"]),)),
        Frame(None, (np.array([object()]),)),
        Frame(None, (np.array([1j]),)),
        Frame(None, (np.zeros([1] * 9),)),
        Frame(None, (np.zeros(1, "datetime64[s]"),)),
    ],
    ids=lambda frame: f"{type(frame.body).__name__} {[array.dtype for array in frame.arrays]}",
)
def test_what_cannot_cross_is_refused_by_the_sender(frame):
    with pytest.raises(BadFrame):
        encode(frame)


def test_a_truth_value_is_true_or_false_whatever_byte_came():
    head = json.dumps([None, [["|b1", [3]]]]).encode()
    (got,) = decode(framed(head, bytes([0, 1, 255]))).arrays
    assert got.view(np.uint8).tolist() == [0, 1, 1]


def test_a_channel_tells_an_end_from_a_cut():
    for rest, expected in ((b"", EOFError), (encode(Frame("cut"))[:-1], BadFrame)):
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.sendall(encode(Frame("whole")) + rest)
        channel = Channel(ours)
        assert channel.receive().body == "whole"
        with pytest.raises(expected):
            channel.receive()
        with pytest.raises(EOFError):
            channel.send(Frame("nobody listens"))
        channel.close()
