"""Web servers of ours on this machine: how they listen, the guard in front of them, and what keeps them running."""
