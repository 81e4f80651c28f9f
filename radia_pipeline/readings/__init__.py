"""Radiologists' readings: their append-only store, the sets they read, truth by rule, how far readers agree."""
