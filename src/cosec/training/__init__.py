"""Training: pairs, losses and one loop for every phase. Knows nothing about decoding."""
