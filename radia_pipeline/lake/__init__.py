"""Where tables and images live: atomic files, versions by content, keys, hashes."""
