"""Orchestration only: thin assets, checks, partitions, resources, jobs. Nothing here computes."""
