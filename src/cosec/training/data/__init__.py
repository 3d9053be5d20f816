"""Training data: security pairs, instruction data and their preparation."""
