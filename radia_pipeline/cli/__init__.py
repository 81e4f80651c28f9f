"""The command ``radia``: one file a command, thin. Nothing is computed here."""
