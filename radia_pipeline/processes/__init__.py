"""Starting, watching and ending other processes; errors and progress across them. Nothing here knows the work."""
