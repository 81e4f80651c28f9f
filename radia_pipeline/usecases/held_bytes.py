"""Files that never touch a disk: bytes held in memory under a path that the workers of this machine can open.

Here: anonymous memory files (Linux), opened by ``/proc/<process>/fd/<number>`` for as long as they are held. Whoever
asks about what somebody sent (a server) hands such paths on as if they were delivered files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


class HeldBytes:
    """Bytes of several files, held until ``close``; a context manager."""

    def __init__(self, contents: Sequence[bytes | bytearray]) -> None:
        self._descriptors: list[int] = []
        self.size_bytes = sum(map(len, contents))
        try:
            for content in contents:
                self._hold(content)
        except BaseException:
            self.close()
            raise

    @property
    def paths(self) -> list[Path]:
        """Where each can be opened, in order."""
        return [Path(f"/proc/{os.getpid()}/fd/{descriptor}") for descriptor in self._descriptors]

    def close(self) -> None:
        """Let go of them; what a worker has open stays its own until it closes it."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> HeldBytes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _hold(self, content: bytes | bytearray) -> None:
        descriptor = os.memfd_create("radia")
        self._descriptors.append(descriptor)
        written, view = 0, memoryview(content)
        while written < len(view):
            written += os.write(descriptor, view[written:])
