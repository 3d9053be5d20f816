"""Runtime: running one model step on a batch of rows. Knows nothing about decoding rules, text or tasks."""
