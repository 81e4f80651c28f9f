"""Runs a module of somebody else's as a process that ends with whoever started it, even by SIGKILL.

``python -m radia_pipeline.processes.bound MODULE ARGUMENT…``
"""

from __future__ import annotations

import runpy
import sys

from radia_pipeline.processes.parents import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
