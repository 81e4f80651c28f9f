"""Python processes that begin with foreign libraries loaded: each is forked from one that has imported them once.

For tests that start many: most of a short command's time is torch's, MLflow's and Dagster's import. A process is its
own in everything else (folder, environment, output, exit code, death), and imports of ours are made in it.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

READS = ("numpy", "scipy.optimize", "scipy.ndimage", "pyarrow.parquet", "pydicom", "cv2")
"""What a step without models imports."""
TRAINS = (*READS, "torch", "timm", "albumentations")
"""What a training imports."""
ALL = (*TRAINS, "pandas", "duckdb", "sklearn.linear_model", "dagster", "mlflow")
"""What any command imports, but for what keeps threads."""
LOOK_EVERY_S = 0.02


class Forked:
    """The process that others are forked from."""

    def __init__(self, server: subprocess.Popen) -> None:
        self._server = server

    def run(
        self,
        words: Sequence[object],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        timeout: float = 600.0,
        loads: Sequence[str] = ALL,
    ) -> subprocess.CompletedProcess[str]:
        """Do as ``subprocess.run([sys.executable, *words], capture_output=True, text=True)``.

        ``words`` begin with ``-m`` and a module, or with ``-c`` and its text. ``loads``: the libraries that it begins
        with. Killed after ``timeout`` seconds, it ends with code -9. Bytes that are no UTF-8 are escaped in the output
        (``surrogateescape``).
        """
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            asked = {
                "loads": list(loads),
                "words": list(map(str, words)),
                "cwd": str(cwd or Path.cwd()),
                "env": dict(env),
                "out": str(out),
                "err": str(err),
                "timeout": timeout,
            }
            self._server.stdin.write(json.dumps(asked) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            said = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in (out, err))
            return subprocess.CompletedProcess(list(words), code, *said)


@contextlib.contextmanager
def forked() -> Iterator[Forked]:
    """Start the process that others are forked from; it ends with the context."""
    from radia_pipeline.tracking.history import ENVIRONMENT  # not where others are forked: ours they import themselves

    env = {**os.environ, **ENVIRONMENT, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as server:
        try:
            yield Forked(server)
        finally:
            server.stdin.close()


def _code_of(child: int, timeout_s: float) -> int:
    """Wait for a process, at most so long; returns its exit code, or minus the signal that ended it."""
    deadline = time.monotonic() + timeout_s
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(LOOK_EVERY_S)


def _become(asked: Mapping[str, Any]) -> None:
    """Be the process that was asked for."""
    for number, place in enumerate((os.devnull, asked["out"], asked["err"])):
        opened = os.open(place, os.O_RDWR | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    tempfile.tempdir = None  # a library may have asked for it before TMPDIR was known
    kind, what, *words = asked["words"]
    sys.argv[:] = [what if kind == "-m" else kind, *words]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


def _code_of_becoming(asked: Mapping[str, Any]) -> int:
    """Be the process that was asked for until its end, as Python ends; returns its exit code."""
    code: object = 0
    try:
        _become(asked)
    except SystemExit as ended:
        code = 0 if ended.code is None else ended.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    if not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def main() -> None:
    """Fork a process for each line of standard input and write its exit code, until the input ends."""
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        with warnings.catch_warnings(action="ignore"):
            for name in asked["loads"]:
                importlib.import_module(name)
        gc.freeze()
        child = os.fork()
        if not child:  # what was loaded is not taken down again, object by object: that takes as long as many a command
            os._exit(_code_of_becoming(asked))
        sys.stdout.write(f"{_code_of(child, asked['timeout'])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
    os._exit(0)  # as those who were forked
