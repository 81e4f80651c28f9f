"""Worker processes: each limits its own memory and answers tasks until nobody asks any more. None outlives the run.

``nursery`` starts this module as a process, one for each work (arguments: descriptor, function, perhaps a warm-up). It
imports what the work needs once and forks workers on request; a fresh one after a crash then costs milliseconds.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from radia_pipeline.errors import RadiaError, RunFailed
from radia_pipeline.processes.channel import Channel
from radia_pipeline.processes.failures import as_record
from radia_pipeline.processes.frames import Caps, Decoder, Frame, encode
from radia_pipeline.processes.parents import die_with_parent

Answer = Callable[[Frame], Frame]
ANSWERED, FAILED, RAISED = "answered", "failed", "raised"
"""How a task ended in its worker: with an answer, with an error of the tree, with any other."""


def serve(descriptor: int, function: str, warm_up: str | None = None) -> None:
    """Answer {"start": memory, caps} + a socket with the worker's pid, {"end": pid} with its status, until the end.

    When the pool's process ends, even by SIGKILL, its socket closes: the nursery ends, and its workers with it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence()
    control = socket.socket(fileno=descriptor)
    channel = Channel(control)
    with contextlib.suppress(EOFError):
        try:
            work = _prepared(function, warm_up)
        except RunFailed as error:
            channel.send(Frame({"failure": as_record(error)}))
            return
        channel.send(Frame("ready"))
        while True:
            order, descriptors = _order(control)
            if "end" in order:
                channel.send(Frame(_end(order["end"])))
            else:
                channel.send(Frame(_start(control, descriptors[0], work, order)))


def _prepared(function: str, warm_up: str | None) -> Answer:
    try:
        work = entry(function)
        if warm_up:
            entry(warm_up)()
    except Exception as error:  # whatever it is, the pool must hear of it: this process is silent
        raise RunFailed(
            f"Workers for {function} cannot be prepared ({type(error).__name__}: {error})",
            do="check that the package is installed whole",
        ) from None
    return work


def entry(name: str) -> Callable[..., Any]:
    """Return what is named ``package.module:function``."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _order(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for the pool's next order and the socket that may come with it; one order is under way at a time."""
    decoder, descriptors = Decoder(), []
    while (frame := decoder.next()) is None:
        data, passed, _, _ = socket.recv_fds(control, 1 << 16, 1)
        if not data:
            raise EOFError
        descriptors += passed
        decoder.feed(data)
    return frame.body, descriptors


def _start(control: socket.socket, descriptor: int, work: Answer, order: dict[str, Any]) -> int:
    """Fork a worker that answers over the socket; returns its pid."""
    child = os.fork()
    if child:
        os.close(descriptor)
        return child
    try:
        control.close()
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_AS, (order["start"], order["start"]))
        caps = Caps(**order["caps"])
        _work(Channel(socket.socket(fileno=descriptor), caps), work, caps)
    finally:
        os._exit(0)


def _end(child: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _work(channel: Channel, work: Answer, caps: Caps) -> None:
    """Answer each [number, task] with [number, how, what] until the other side closes."""
    with contextlib.suppress(EOFError):
        while True:
            channel.send_bytes(_answered(channel.receive(), work, caps))


def _answered(task: Frame, work: Answer, caps: Caps) -> bytes:
    number, body = task.body
    try:
        answer = work(Frame(body, task.arrays))
        return encode(Frame([number, ANSWERED, answer.body], answer.arrays), caps)
    except RadiaError as error:
        return encode(Frame([number, FAILED, as_record(error)]), caps)
    except Exception as error:
        # Whatever it is, it concerns this one task; its words could quote the task, so that only the kind goes on.
        return encode(Frame([number, RAISED, type(error).__name__]), caps)


def silence() -> None:
    """Codecs written in C print what they read to standard error; nothing of a task may reach a log."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
