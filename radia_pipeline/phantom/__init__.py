"""Synthetic radiographs and French reports with known truth, in each dataset's published layout."""
