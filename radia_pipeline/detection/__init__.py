"""The detector that is trained on boxes, its scorecard and its export."""
