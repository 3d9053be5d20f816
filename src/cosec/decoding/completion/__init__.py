"""Completions: the text and the records of one sequence as they grow."""
