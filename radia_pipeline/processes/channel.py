"""Frames over a socket: a channel that waits, for processes that do one thing, and one that does not, for a pool.

Not here: the form of a frame (``frames``), who is at the other end.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from radia_pipeline.processes.frames import CAPS, Caps, Decoder, Frame, encode

_CHUNK = 1 << 16
_GONE = (BrokenPipeError, ConnectionResetError)


class Channel:
    """One end of a stream socket, as frames. A process that has closed the other end is an EOFError."""

    def __init__(self, end: socket.socket, caps: Caps = CAPS) -> None:
        self.socket = end
        self._caps = caps
        self._decoder = Decoder(caps)

    def send(self, frame: Frame) -> None:
        """Send a frame and wait until it is out; raises EOFError where nobody listens any more."""
        self.send_bytes(encode(frame, self._caps))

    def send_bytes(self, encoded: bytes) -> None:
        """Send a frame that is encoded already, as ``send`` does."""
        try:
            self.socket.sendall(encoded)
        except _GONE:
            raise EOFError from None

    def receive(self) -> Frame:
        """Wait for the next frame; raises EOFError at the end of the stream, BadFrame for what is none."""
        while (frame := self._decoder.next()) is None:
            self.fill()
        return frame

    def fill(self) -> None:
        """Take in what has come, waiting for the first byte; raises EOFError at the end, BadFrame within a frame."""
        try:
            data = self.socket.recv(_CHUNK)
        except _GONE:
            data = b""
        if not data:
            self._decoder.end()
            raise EOFError
        self._decoder.feed(data)

    def close(self) -> None:
        """Close this end."""
        self.socket.close()


class PatientChannel(Channel):
    """A channel that never waits: what does not go out at once stays ``pending``, what has come is taken whole.

    Nobody at the other end can hold up the process that has many of them.
    """

    def __init__(self, end: socket.socket, caps: Caps = CAPS) -> None:
        super().__init__(end, caps)
        end.setblocking(False)
        self.pending = bytearray()

    def fill(self) -> None:
        """Take in what has come, if anything; raises EOFError at the end, BadFrame within a frame."""
        with contextlib.suppress(BlockingIOError):
            super().fill()

    def send(self, frame: Frame) -> None:
        """Send what can go at once; that nobody listens is noticed when the answer is read."""
        self.pending += encode(frame, self._caps)
        self.flush()

    def flush(self) -> None:
        """Send more of what is pending."""
        with contextlib.suppress(BlockingIOError, *_GONE):
            while self.pending:
                del self.pending[: self.socket.send(self.pending)]

    def arrived(self) -> Iterator[Frame]:
        """Yield the whole frames that have come, after ``fill``; raises BadFrame for what is none."""
        while (frame := self._decoder.next()) is not None:
            yield frame
