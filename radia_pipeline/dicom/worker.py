"""Worker processes: each limits its own memory and examines files until told to stop. None outlives the run.

``pool`` starts one nursery per process (``python -m radia_pipeline.dicom.worker <descriptor>``), which imports the
codecs once and forks workers on request; a fresh worker after a crash then costs milliseconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle

from radia_pipeline.dicom.examine import StagingFailed, Task, examine

_PR_SET_PDEATHSIG = 1


def nursery(descriptor: int) -> None:
    """Answer ("start", bytes) + a socket with the worker's pid, ("end", pid) with its status, until the pool closes.

    When the pool's process ends, even by SIGKILL, its socket closes: the nursery ends, and its workers with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _silence()
    _warm_up()
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send("ready")
        while True:
            order, number = connection.recv()
            if order == "end":
                connection.send(_end(number))
                continue
            theirs = recv_handle(connection)
            child = os.fork()
            if child == 0:
                connection.close()
                _work(theirs, number)
                os._exit(0)
            os.close(theirs)
            connection.send(child)


def _end(child: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _work(descriptor: int, memory_bytes: int) -> None:
    """Answer each received (number, task) with (number, verdict or error) until the other side closes."""
    _die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            number, task = connection.recv()
            connection.send((number, _answer(task)))


def _answer(task: Task) -> object:
    """Return the verdict; OSError where the machine fails (a full disk), another error where this one file does."""
    try:
        return examine(task)
    except StagingFailed as error:
        return OSError(error.errno, "a picture could not be staged")
    except Exception as error:
        # Whatever it is, it concerns this one file; its text could quote the file, so that only the kind goes on.
        return RuntimeError(type(error).__name__)


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
    nursery(int(sys.argv[1]))
