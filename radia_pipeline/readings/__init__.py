"""Radiologists' reviews: the append-only store that label_reviews reads."""
