"""Reports and tables -> study × class: the label table, its making, readings on top, migrations of the vocabulary."""
