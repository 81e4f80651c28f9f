"""Adapters, one module per dataset: its published layout -> files, facts, labels, boxes, reports.

Nothing here decodes pixels or reads sentences.
"""
