"""A process that is forked with libraries loaded is otherwise what a fresh one is."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

from radia_pipeline_tests.forked import READS

TELLS = """
import os, sys
print(sys.argv, os.getcwd(), os.environ["MINE"], "HOME" in os.environ, __name__, sys.stdin.read())
print("beside", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
DIES = "import os, signal; print('said', flush=True); os.kill(os.getpid(), signal.SIGKILL)"


def test_it_does_as_a_fresh_one(fork, tmp_path):
    words, env = ["-c", TELLS, "3", "two words"], {"PATH": os.environ["PATH"], "MINE": "1"}
    found = fork.run(words, env=env, cwd=tmp_path, loads=READS)
    wanted = subprocess.run(
        [sys.executable, *words], env=env, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert (found.returncode, found.stderr) == (wanted.returncode, wanted.stderr) == (3, "beside\n")
    assert found.stdout == wanted.stdout and "two words" in found.stdout


def test_it_runs_a_module_and_says_how_it_died(fork):
    run = functools.partial(fork.run, env=dict(os.environ), loads=READS)
    assert "zipfile" in run(["-m", "zipfile", "--help"]).stdout
    assert run(["-m", "zipfile", "--nothing"]).returncode == 2
    assert run(["-c", "raise KeyError('odd')"]).stderr.endswith("KeyError: 'odd'\n")
    assert "odd" in run(["-c", "import atexit; atexit.register(print, 'odd')"]).stdout
    said = run(["-c", "import sys; sys.exit('no')"])
    assert (said.returncode, said.stderr) == (1, "no\n")
    died = run(["-c", DIES])
    assert (died.returncode, died.stdout) == (-9, "said\n")
    assert run(["-c", "import time; time.sleep(600)"], timeout=0.5).returncode == -9
    loud = run(["-c", r"import sys; sys.stdout.buffer.write(b'\xff')"]).stdout
    assert loud.encode("utf-8", "surrogateescape") == b"\xff"
    assert run(["-c", "import tempfile; print(tempfile.gettempdir())"], env={"TMPDIR": "/"}).stdout == "/\n"


def test_its_libraries_are_loaded_and_nothing_of_ours(fork):
    said = fork.run(
        ["-c", "import sys; print('pydicom' in sys.modules, 'radia_pipeline' in sys.modules)"], env={}, loads=READS
    )
    assert said.stdout == "True False\n"
    assert "odd" in fork.run(["-c", "import warnings; warnings.warn('odd')"], env={}, loads=READS).stderr
