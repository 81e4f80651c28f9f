"""What every table promises: data_contracts/ -> schemas, vocabulary, source sheets, validation."""
