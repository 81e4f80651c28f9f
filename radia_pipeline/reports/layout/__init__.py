"""Layout on the characters of a text: boxes, cells, signs and sides, rewritten as the words that the rules know."""
