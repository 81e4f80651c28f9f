"""RadIA: from a hospital's de-identified chest radiographs and French reports to a pathology detector.

One folder a step, in the order in which the data goes: ``sources``, ``dicom`` and ``reports``, ``cohort``,
``training``, ``evaluation``, ``localisation``, ``detection``. ``contracts`` and ``lake`` stand under all of them;
``defs`` orchestrates and computes nothing. This module holds the version and what must be set before any library loads.
"""

import os

__version__ = "0.1.0"

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
"""How long an OpenMP thread spins while it waits for another one. By default that is milliseconds, and two trainings on
one machine take 20 times as long (``benchmarks/threads.py``); libgomp reads this when torch loads it."""
