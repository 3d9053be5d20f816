"""Studies: arms, generation and append-only records."""
