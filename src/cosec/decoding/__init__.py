"""Co-decoding: drafts, verdicts and the loop around them. Knows nothing about training, HTTP or benchmarks."""
