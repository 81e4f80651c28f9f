"""Radiologists' readings: their append-only store, the sets they read, truth by rule, and their statistics."""
