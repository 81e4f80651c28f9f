"""Boxes in the formats of other tools, one file a format: what writes them, and what reads them back exactly."""
