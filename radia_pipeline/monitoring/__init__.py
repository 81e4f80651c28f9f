"""Drift: what arrives and what models say of it, window by window, against a frozen reference; by a written protocol.

``scan``, ``between``, ``limits``, ``edetector`` and ``discoveries`` are arithmetic on arrays; ``reference`` freezes
what is usual, ``watching`` follows streams. Not here: pages (``pages``), when it runs (``defs``), who may answer
(``evaluation.champion``).
"""
