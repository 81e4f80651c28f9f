"""The guard in front of web servers, and what keeps them running."""
