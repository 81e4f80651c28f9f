"""A worker process: limits its own memory, examines files until told to stop. It never outlives the run.

Started by ``pool`` as ``python -m radia_pipeline.dicom.worker <descriptor>``; speaks over an inherited socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection

from radia_pipeline.dicom.examine import Task, examine

_PR_SET_PDEATHSIG = 1


def main(descriptor: int, memory_bytes: int) -> None:
    """Answer each received (number, task) with (number, verdict or exception) until the other side closes."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(descriptor)
    _silence()
    _warm_up()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send((-1, None))
        while True:
            number, task = connection.recv()
            connection.send((number, _answer(task)))


def _answer(task: Task) -> object:
    """Return the verdict, or the failure of the machine (a full disk), which is no verdict on the file."""
    try:
        return examine(task)
    except OSError as error:
        return OSError(error.errno, "a picture could not be staged")


def _die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends, even by SIGKILL in the middle of a decode."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _silence() -> None:
    """Codecs written in C print header values to standard error; nothing of a file may reach a log."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _warm_up() -> None:
    """Import the codecs before the first file, so that its time limit is about the file."""
    import imagecodecs
    import jpeg_ls
    import openjpeg
    import rle
    import scipy.sparse

    assert all((imagecodecs, jpeg_ls, openjpeg, rle, scipy.sparse))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
