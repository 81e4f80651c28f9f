"""Metrics with intervals, calibration, ensembles and scorecards. Nothing here trains."""
