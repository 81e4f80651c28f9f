"""French reports -> sections -> mentions -> labels, with evidence. Nothing here knows images."""
