"""RadIA: from a hospital's de-identified chest radiographs and French reports to a pathology detector.

One folder a step, in the order in which the data goes: ``sources``, ``dicom`` and ``reports``, ``cohort``,
``learning``, ``evaluation``, ``localisation``, ``detection``. ``contracts`` and ``lake`` stand under all of them;
``defs`` orchestrates and computes nothing. This module holds the version and nothing else.
"""

__version__ = "0.1.0"
